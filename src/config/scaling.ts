import { arrayOf, isNumberType } from "../ring.ts";
import type { TagOnLink } from "./model.ts";
import type { TagText } from "./schema.ts";
import { below, type Findings, type Origin } from "./problem.ts";

type Meaning = Pick<TagOnLink, "scale" | "offset" | "decimals" | "signal">;

/** What the raw numbers of a tag mean, whichever way it is spelled. */
export function meaningOf(tag: TagText): Meaning {
  const { scale, offset, rawRange, euRange, signal, decimals } = tag;
  const shared = {
    decimals: decimals ?? null,
    signal: signal === undefined || rawRange === undefined ? null : rawRange,
  };
  if (rawRange === undefined || euRange === undefined) {
    return { scale: scale ?? 1, offset: offset ?? 0, ...shared };
  }
  const slope = (euRange[1] - euRange[0]) / (rawRange[1] - rawRange[0]);
  return { scale: slope, offset: euRange[0] - rawRange[0] * slope, ...shared };
}

/** Tells what contradicts itself in a tag's scale, ranges, signal and decimals. */
export function checkMeaning(tag: TagText, origin: Origin, findings: Findings): void {
  const { type, scale, offset, rawRange, euRange, signal, decimals, access } = tag;
  const at = (setting: keyof TagText, message: string): void =>
    findings.at(below(origin, setting), message);
  if (scale === 0) at("scale", "a scale of 0 loses the value");
  const scaled = (scale ?? 1) !== 1 || (offset ?? 0) !== 0 || rawRange !== undefined;
  if (type !== undefined && (scaled || decimals !== undefined) && !isNumeric(type)) {
    findings.at(origin, `scale, offset, ranges and decimals are for numbers, not for ${type}`);
  }
  if (rawRange === undefined && euRange !== undefined) {
    at("euRange", "needs `rawRange`: the raw values that stand for these two");
  }
  if (euRange === undefined && rawRange !== undefined) {
    at("euRange", "is missing: the values that the two of `rawRange` stand for");
  }
  for (const setting of ["rawRange", "euRange"] as const) {
    if (tag[setting]?.[0] === tag[setting]?.[1] && tag[setting] !== undefined) {
      at(setting, "the two ends are the same; a range needs two different ones");
    }
  }
  if (rawRange !== undefined && (scale !== undefined || offset !== undefined)) {
    at("rawRange", "two ranges, or `scale` and `offset`: not both");
  }
  if (signal !== undefined && rawRange === undefined) {
    at("signal", "needs `rawRange`: the raw values at 4 and at 20 mA");
  }
  if (access !== "read-write") return;
  if (type !== undefined && arrayOf(type) !== null) {
    at("access", "an array is only read in this version: give the element that is written a tag " +
      "of its own, at its own address, and leave this one \"read\"");
  }
  const what = "is for tags that are read: " +
    "a value that is written is compared with what is read back";
  if (signal !== undefined) at("signal", what);
  if (decimals !== undefined) at("decimals", what);
}

/** A number, or an array of numbers. */
export function isNumeric(type: string): boolean {
  return isNumberType(arrayOf(type)?.item ?? type);
}
