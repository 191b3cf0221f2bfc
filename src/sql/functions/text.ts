import type { Dyn } from "../../ring.ts";
import type { ArgumentType, ScalarFunction } from "./record.ts";
import { isList } from "./values.ts";

const encoder = new TextEncoder();
const blanks = " \t\n\v\f\r\u0085\u00a0";

/** A slot for text that grows by what the constants say, else by so much. */
function padded([text, count]: readonly ArgumentType[]): number {
  const { constant } = count!;
  return text!.slot + (typeof constant === "number" ? Math.max(0, constant) : 256);
}

function trimStart(text: string): string {
  let from = 0;
  while (from < text.length && blanks.includes(text[from]!)) from++;
  return text.slice(from);
}

function trimEnd(text: string): string {
  let to = text.length;
  while (to > 0 && blanks.includes(text[to - 1]!)) to--;
  return text.slice(0, to);
}

/** Places are characters (eKuiper counts bytes). */
function substring(text: string, from: number, to?: number): string {
  return [...text].slice(from, to).join("");
}

function indexOf(text: string | null, part: string | null): number {
  if (text === null || part === null) return -1;
  const at = text.indexOf(part);
  return at < 0 ? -1 : [...text.slice(0, at)].length;
}

export const text: readonly ScalarFunction[] = [
  {
    name: "concat", parameters: "s+", result: "text",
      doc: "All texts one after the other; NULL is left out",
    examples: [["concat('a', 'b', 'c')", "'abc'"], ["concat('a', NULL)", "'a'"]], nulls: "sees",
    body: (...parts: (string | null)[]) => parts.map((part) => part ?? "").join(""),
    slot: (args) => args.reduce((sum, arg) => sum + arg.slot, 0),
  },
  {
    name: "endswith", parameters: "ss", result: "bool",
    takes: "text, end",
      doc: "Whether the first ends with the second; NULL: no",
    examples: [["endswith('abc', 'bc')", "TRUE"]], nulls: "sees",
    body: (a: string | null, b: string | null) => a !== null && b !== null && a.endsWith(b),
  },
  {
    name: "startswith", parameters: "ss", result: "bool",
    takes: "text, start",
      doc: "Whether the first starts with the second; NULL: no",
    examples: [["startswith('abc', 'ab')", "TRUE"]], nulls: "sees",
    body: (a: string | null, b: string | null) => a !== null && b !== null && a.startsWith(b),
  },
  {
    name: "indexof", parameters: "ss", result: "int53",
    takes: "text, part",
    doc: "Where the second first stands in the first, in characters from 0; −1 = nowhere",
    examples: [["indexof('abc', 'c')", "2"], ["indexof('abc', 'x')", "-1"]], nulls: "sees",
      body: indexOf,
  },
  {
    name: "length", parameters: "c", result: "int53", refuses: true,
    doc: "Number of characters of a text, of items of an array; of NULL 0",
    examples: [["length('Öl')", "2"], ["length(array_create(1, 2, 3))", "3"]], nulls: "sees",
    body: (a: Dyn) => (a === null ? 0 : typeof a === "string" ? [...a].length
      : isList(a) ? a.length : undefined),
  },
  {
    name: "numbytes", parameters: "s", result: "int53", doc: "Number of bytes in UTF-8; of NULL 0",
    examples: [["numbytes('Öl')", "3"]], nulls: "sees",
      body: (a: string | null) => encoder.encode(a ?? "").length,
  },
  {
    name: "lower", parameters: "s", result: "text", doc: "In small letters",
    examples: [["lower('Ab')", "'ab'"]], body: (a: string) => a.toLowerCase(),
  },
  {
    name: "upper", parameters: "s", result: "text", doc: "In capital letters",
    examples: [["upper('Ab')", "'AB'"]], body: (a: string) => a.toUpperCase(),
  },
  {
    name: "trim", parameters: "s", result: "text", doc: "Without blanks at both ends",
    examples: [["trim('  a b ')", "'a b'"]], body: (a: string) => trimStart(trimEnd(a)),
  },
  {
    name: "ltrim", parameters: "s", result: "text", doc: "Without blanks at its start",
    examples: [["ltrim('  a ')", "'a '"]], body: trimStart,
  },
  {
    name: "rtrim", parameters: "s", result: "text", doc: "Without blanks at its end",
    examples: [["rtrim(' a  ')", "' a'"]], body: trimEnd,
  },
  {
    name: "lpad", parameters: "su",
    result: "text", refuses: true, doc: "With so many blanks before it",
    takes: "text, blanks",
      slot: padded,
    examples: [["lpad('a', 2)", "'  a'"]], body: (a: string, n: number) => pad(n) === undefined
      ? undefined : pad(n) + a,
  },
  {
    name: "rpad", parameters: "su",
    result: "text", refuses: true, doc: "With so many blanks after it",
    takes: "text, blanks",
      slot: padded,
    examples: [["rpad('a', 2)", "'a  '"]], body: (a: string, n: number) => pad(n) === undefined
      ? undefined : a + pad(n),
  },
  {
    name: "reverse", parameters: "s", result: "text",
      doc: "Its characters from the last to the first",
    examples: [["reverse('abc')", "'cba'"]], body: (a: string) => [...a].reverse().join(""),
  },
  {
    name: "substring", parameters: "su?u", result: "text",
    takes: "text, from, [to]",
    doc: "Characters from a place (counted from 0) to before another, or to the end",
    examples: [["substring('abcdef', 1, 3)", "'bc'"], ["substring('abc', 1)", "'bc'"]],
      body: substring,
  },
  {
    name: "split_value", parameters: "ssu", result: "text", refuses: true,
    takes: "text, separator, place",
    doc: "One of the parts between separators, from 0; negative: from the last; none there: an " +
      "error",
    examples: [["split_value('a/b/c', '/', 1)", "'b'"]],
    body: (a: string, separator: string, i: number) => a.split(separator).at(i),
  },
  {
    name: "dec2hex", parameters: "i", result: "text",
      doc: "A whole number as `0x` and hexadecimal digits",
    examples: [["dec2hex(255)", "'0xff'"]], body: (n: number) => `0x${n.toString(16)}`,
      slot: () => 24,
  },
  {
    name: "hex2dec", parameters: "s", result: "int53", refuses: true,
      doc: "The number of hexadecimal digits, with or without `0x`",
    examples: [["hex2dec('0xff')", "255"]],
    body: (a: string) => (/^(0x)?[0-9a-f]{1,13}$/i.test(a) ? parseInt(a, 16) : undefined),
  },
];

const pad_max = 65536;

function pad(n: number): string | undefined {
  return n >= 0 && n <= pad_max ? " ".repeat(n) : undefined;
}
