import { createHash } from "node:crypto";
import { isWritableType, type TagType, type Written } from "../ring.ts";

/**
 * Everything that decides where a write lands and what it means there: what a proof proves (W2).
 */
export interface Path {
  /**
   * Address of the device behind the link as it answered: `192.168.1.20:502`, `/dev/ttyS1`; of one
   * that dials in `10.8.0.7`.
   */
  readonly peer: string;
  readonly station: number;
  readonly at: string;
  readonly type: TagType;
  readonly wordOrder: "ABCD" | "CDAB" | "BADC" | "DCBA";
  readonly scale: number;
  readonly offset: number;
}

/** W2: sha256 over peer, station, address, type, order, scale, offset, one a line. */
export function pathHash(path: Path): string {
  const { peer, station, at, type, wordOrder, scale, offset } = path;
  const text = [peer, station, at, type, wordOrder, scale, offset].join("\n");
  return createHash("sha256").update(text).digest("hex");
}

/** Raw words for the wire and the engineering value, or the text, they will mean (W9). */
export interface Encoded {
  readonly bytes: Uint8Array;
  readonly means: Written;
}

/** A writable tag as the gate sees it. */
export interface TagFacts {
  readonly id: string;
  readonly type: TagType;
  readonly scale: number;
  readonly offset: number;
  readonly eu: string | null;
  /** `access` of the configuration is read-write. */
  readonly writable: boolean;
  /** Why this version cannot write it (bytes, an input register), or null. */
  readonly unsupported: string | null;
  /** All devices of its link obey it, and none answers: it is never read. */
  readonly broadcast: boolean;
  /** Raw words of a value, or why the tag cannot hold it. Pure. */
  encode(value: Written): Encoded | string;
}

/** Why tags of a type cannot be written in this version, or null; places are the driver's. */
export function whyUnsupported(type: TagType): string | null {
  return isWritableType(type) ? null : `values of type ${type} come later`;
}

/** A value that something can be compared with: NaN stands for none. */
export const isKnown = (value: Written): boolean =>
  typeof value === "string" || Number.isFinite(value);

/** The difference in engineering units that one count of the raw value makes at `value`. */
export function lsbOf(tag: Pick<TagFacts, "type" | "scale" | "offset">, value: number): number {
  const scale = Math.abs(tag.scale);
  if (tag.type !== "float32" && tag.type !== "float64") return scale;
  // IEEE 754: 23 (52) fraction bits, and a least exponent of −126 (−1022).
  const [bits, least] = tag.type === "float32" ? [23, -126] : [52, -1022];
  const raw = Math.abs((value - tag.offset) / tag.scale);
  const exponent = raw === 0 ? least : Math.max(least, Math.floor(Math.log2(raw)));
  return scale * 2 ** (exponent - bits);
}

/**
 * Equal raw within one LSB (W15); the hundredth takes up the rounding of the conversions. Of a bool
 * the other value is one LSB away, and the contrary. A text is that text or it is another.
 */
export function withinOneLsb(tag: TagFacts, a: Written, b: Written): boolean {
  if (tag.type === "bool" || typeof a === "string" || typeof b === "string") return a === b;
  return Math.abs(a - b) <= 1.01 * Math.max(lsbOf(tag, a), lsbOf(tag, b));
}

/** The same raw value: less than half a count apart (at 0 a float64 has no half). */
export function sameRaw(tag: TagFacts, a: Written, b: Written): boolean {
  if (a === b || typeof a === "string" || typeof b === "string") return a === b;
  return Math.abs(a - b) < 0.5 * Math.max(lsbOf(tag, a), lsbOf(tag, b));
}
