import { textOf } from "./notation.ts";

/** A telegram needs no more than that its control characters can be read. */
export function readable(bytes: Uint8Array): string | null {
  return bytes.length === 0 ? null : textOf(bytes);
}
