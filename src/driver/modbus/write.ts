import { assert } from "../../base.ts";
import { decodeValue, type Field, type WriteWith } from "./codec.ts";
import type { Framing } from "./framing.ts";
import { putBit, putCoil, putWrite } from "./pdu.ts";

/** Puts the PDU that writes a tag's raw words; its length. */
export function putTag(
  { pdu: out, pduAt }: Framing, field: Field, raw: Uint8Array, writeWith: WriteWith,
): number {
  assert(raw.length === field.bytes, `write of ${field.tag.id}`);
  const { area, from, count, bit } = field.address;
  const several = count > 1 || writeWith === 16;
  if (area === "coil") return putCoil(out, pduAt, from, raw[0] === 1, several);
  assert(area === "holding", `write of ${field.tag.id}`);
  if (bit >= 0) return putBit(out, pduAt, from, bit, decodeValue(field, raw) === 1);
  return putWrite(out, pduAt, from, raw, several);
}
