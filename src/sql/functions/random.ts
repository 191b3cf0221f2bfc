import type { Dyn } from "../../ring.ts";
import type { ScalarFunction } from "./record.ts";
import type { StatefulFunction } from "./stateful.ts";

/** Bits of a whole number that is drawn: all that a float holds beside a sign. */
const drawn_bits = 52;
const high_words = 2 ** (drawn_bits - 32);

/** The finalizer of MurmurHash3 (Appleby): each bit of 32 changes about half of them. */
function mixed(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Number `n` of a seed's row of whole numbers, each of 52 bits; equal only for equal `n`. */
export function drawn(seed: number, n: number): number {
  const low = mixed((seed ^ Math.imul(n, 0x9e3779b9)) | 0);
  const high = mixed(low + Math.floor(seed / 2 ** 32) + Math.floor(n / 2 ** 32));
  return (high >>> 0) % high_words * 2 ** 32 + (low >>> 0);
}

function uuid(end: number, a: number, b: number, c: number): string {
  const digits = [a, b, c].map((seed) => drawn(seed, end).toString(16).padStart(13, "0")).join("");
  // Version 4, variant 10xx: what is left is drawn.
  const variant = "89ab"[parseInt(digits[30]!, 16) & 3]!;
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(12, 15)}-` +
    `${variant}${digits.slice(15, 18)}-${digits.slice(18, 30)}`;
}

/** Each place gets one of the items that are left (Fisher, Yates). */
function shuffled(end: number, seed: number, list: Dyn): Dyn | undefined {
  if (!Array.isArray(list)) return undefined;
  const items = [...list as readonly Dyn[]];
  for (let left = items.length; left > 1; left--) {
    const place = drawn(seed + left, end) % left;
    [items[left - 1], items[place]] = [items[place]!, items[left - 1]!];
  }
  return items;
}

/**
 * What is drawn at random. A call draws on every row, before WHERE and windows, from a seed that
 * is part of the rule's state: a row that is worked on once more after a restart gets what it got
 * before. The bodies mix in the row's time or the end of its window, as one row may be in several.
 */
export const randoms: readonly ScalarFunction[] = [
  {
    name: "rand", parameters: "", result: "float64", clock: "row", draws: 1,
    doc: "A number from 0 to less than 1, drawn at random for each row",
    examples: [["rand() >= 0 AND rand() < 1", "TRUE"]],
    body: (end: number, seed: number) => drawn(seed, end) / 2 ** drawn_bits,
  },
  {
    name: "newuuid", parameters: "", result: "text", slot: () => 40, clock: "row", draws: 3,
    doc: "A UUID (version 4), drawn at random for each row; after a restart a row has the same",
    examples: [["length(newuuid())", "36"]], body: uuid,
  },
  {
    name: "array_shuffle", parameters: "l", result: "dyn", refuses: true, clock: "row", draws: 1,
    doc: "The items in an order that is drawn at random for each row",
    examples: [["to_json(array_sort(array_shuffle(array_create(3, 1, 2))))", "'[1,2,3]'"]],
    slot: (args) => args.at(-1)!.slot, body: shuffled,
  },
  {
    name: "$drawn", parameters: "nn", result: "int53", doc: "", examples: [], body: drawn,
  },
];

/** What the functions above draw: one call site, told from the others by its number. */
export const draws: readonly StatefulFunction[] = [{
  name: "$draw", parameters: "u", result: "int53", usage: "", doc: "", source: "",
  example: { call: "", x: [], gives: [] }, unsafe: "drawn",
  emit(site) {
    const seed = site.place("seed"), count = site.place("count");
    const given = site.code.param({ of: "begun", part: "seed", site: site.name }, "seed");
    return [
      `if (${seed} === 0) ${seed} = ${given};`, `${count} += 1;`,
      `${site.y} = fn.body.$drawn(${seed} + ${site.args[0]!.value}, ${count});`, `${site.s} = 0;`,
    ];
  },
}];
