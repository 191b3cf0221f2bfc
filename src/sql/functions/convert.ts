import { remember } from "../../base.ts";
import type { ScalarFunction } from "./record.ts";

const decimals_max = 30;
const decimalsFault = (decimals: string | number): string | null =>
  Number(decimals) > decimals_max ? `Decimals are 0 to ${decimals_max}` : null;

/**
 * A locale as eKuiper writes it, `de_DE`, with Latin digits where it has others of its own: what is
 * written is read by machines. null: there is no such one.
 */
const localeOf = remember((name): string | null => {
  if (!/^[a-z]{2,3}_[A-Z]{2}$/.test(name)) return null;
  const [known] = Intl.NumberFormat.supportedLocalesOf(name.replace("_", "-"));
  return known === undefined ? null : `${known}-u-nu-latn`;
});

const localeFault = (name: string | number): string | null => localeOf(String(name)) === null
  ? "There is no such locale: one is named like 'en_US'" : null;

/** By locale and decimals. */
const writers = remember((key) => {
  const [locale, decimals] = key.split(" ") as [string, string];
  const digits = Number(decimals);
  return new Intl.NumberFormat(locale,
    { minimumFractionDigits: digits, maximumFractionDigits: digits });
});

function format(x: number, decimals: number, name?: string): string | undefined {
  if (decimals < 0 || decimals > decimals_max || !Number.isFinite(x)) return undefined;
  if (name === undefined) return x.toFixed(decimals);
  const locale = localeOf(name);
  // One kind of blank that does not break, not two.
  return locale === null ? undefined
    : writers(`${locale} ${decimals}`).format(x).replaceAll("\u202f", "\u00a0");
}

const encodingFault = (name: string | number): string | null =>
  String(name).toLowerCase() === "base64" ? null : "The only encoding is 'base64'";

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export const convert: readonly ScalarFunction[] = [
  {
    name: "format", parameters: "du?s", result: "text", refuses: true, slot: () => 96,
    takes: "x, decimals, [locale]",
    doc: "A number with so many decimals; with a locale, the separators of that place",
    constants: { 1: decimalsFault, 2: localeFault },
    examples: [["format(12332.125, 1)", "'12332.1'"],
      ["format(12332.125, 1, 'de_DE')", "'12.332,1'"]],
    body: format,
  },
  {
    name: "chr", parameters: "k", result: "int53", refuses: true,
    doc: "Code of a text of one ASCII character; a code is itself",
    examples: [["chr('a')", "97"], ["chr(97)", "97"]],
    body: (value: string | number) => (typeof value === "number" ? value
      : value.length === 1 && value <= "\x7f" ? value.charCodeAt(0) : undefined),
  },
  {
    name: "encode", parameters: "ys",
    result: "text", refuses: "constants", constants: { 1: encodingFault },
    takes: "x, 'base64'",
    doc: "A text (its UTF-8) or bytes as base64", examples: [["encode('Öl', 'base64')", "'w5Zs'"]],
    slot: ([data]) => Math.ceil(data!.slot / 3) * 4,
    body: (data: string | Uint8Array, encoding: string) => (encodingFault(encoding) === null
      ? Buffer.from(data as string).toString("base64") : undefined),
  },
  {
    name: "decode", parameters: "ss",
    result: "bytes", refuses: true, constants: { 1: encodingFault },
    takes: "text, 'base64'",
    doc: "The bytes of a text in base64",
    examples: [["encode(decode('w5Zs', 'base64'), 'base64')", "'w5Zs'"]],
    slot: ([text]) => Math.ceil(text!.slot / 4) * 3,
    body: (text: string, encoding: string) => (encodingFault(encoding) === null && base64.test(text)
      ? new Uint8Array(Buffer.from(text, "base64")) : undefined),
  },
];
