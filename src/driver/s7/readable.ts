import {
  dataBytes, errorOf, frameBytes, GOOD_CODE, isAnswer, isConfirm, isConnect, isJob, itemsAt, jobOf,
  pdu_bytes_max, placeAt, refusalOf, writeCode, type Place,
} from "./pdu.ts";
import { wordsOf } from "./words.ts";

/** What a frame says, for a person; null = it is no whole frame. */
export function readable(bytes: Uint8Array): string | null {
  const n = bytes.length;
  if (frameBytes(bytes, n) !== n) return null;
  if (isConnect(bytes)) return "asks for a connection";
  if (isConfirm(bytes)) return "takes the connection";
  const reason = refusalOf(bytes, n);
  if (reason >= 0) return `refuses the connection (reason ${reason})`;
  if (isJob(bytes, n)) return readableJob(bytes);
  return isAnswer(bytes, n) ? readableAnswer(bytes, n) : null;
}

function readableJob(bytes: Uint8Array): string | null {
  const job = jobOf(bytes, pdu_bytes_max);
  if (job === null) return null;
  if (job.kind === "setup") return `asks for telegrams of ${job.pdu} bytes`;
  const places = job.places.map((at) => placeText(placeAt(bytes, at))).join(", ");
  if (job.kind === "read") return `reads ${places}`;
  const from = job.dataAt + 4;
  return `writes ${places}: ${bytes.subarray(from, from + dataBytes(bytes, job.dataAt)).toHex()}`;
}

function readableAnswer(bytes: Uint8Array, n: number): string {
  const error = errorOf(bytes);
  if (error !== 0) return `refuses: ${wordsOf(error)}`;
  const code = writeCode(bytes, n);
  if (code >= 0) return code === GOOD_CODE ? "has written it" : `refuses: ${wordsOf(code)}`;
  const at = itemsAt(bytes, bytes[20] ?? 0);
  return at === 0 ? "answers the set-up" : `gives ${n - at} bytes of ${bytes[20]} places`;
}

function placeText(place: Place | null): string {
  if (place === null) return "a place of another kind";
  const { area, db, from, count, bit } = place;
  const name = area === "DB" ? `DB${db}.DB` : area;
  if (bit >= 0) return `${name}X${from}.${bit}`;
  return count === 1 ? `${name}B${from}` : `${name}B${from}..${from + count - 1}`;
}
