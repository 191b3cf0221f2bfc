import {
  Answer, answerAt, data_at, encapsulationStatus, frameBytes, get16, isData, isRegister, isSeveral,
  READ, requestAt, SEVERAL, typeName, WRITE,
} from "./cip.ts";
import { readPath } from "./path.ts";
import { wordsOf } from "./words.ts";

/** What a frame says, for a person; null = it is no whole frame. */
export function readable(bytes: Uint8Array, isRequest: boolean): string | null {
  const n = bytes.length;
  if (n < 24 || frameBytes(bytes, n) !== n) return null;
  const status = encapsulationStatus(bytes);
  if (isRegister(bytes)) {
    if (isRequest) return "asks for a session";
    return status === 0 ? "gives a session" : `refuses the session (status ${status})`;
  }
  if (!isData(bytes, n)) return `status ${status}`;
  if (!isRequest) return readableAnswer(bytes, data_at, n, true);
  const [at, end] = requestAt(bytes, data_at, n);
  return readableRequest(bytes, at, end, true);
}

/** `mayHold`: several requests stand in a message, but not in one another. */
function readableRequest(
  bytes: Uint8Array, at: number, end: number, mayHold: boolean,
): string {
  const service = bytes[at];
  const data = at + 2 + (bytes[at + 1] ?? 0) * 2;
  if (data + 2 > end) return "a request cut short";
  if (service === SEVERAL) {
    const count = get16(bytes, data);
    if (!mayHold || data + 2 + 2 * count > end) return "several requests";
    const requests = Array.from({ length: count }, (_, i) => {
      const from = answerAt(bytes, data, end, i);
      return from < data || from >= end ? "?" : readableRequest(bytes, from, end, false);
    });
    return requests.join("; ");
  }
  const path = readPath(bytes, at + 2, data);
  const name = path === null ? "?" : `${path.base}${path.index < 0 ? "" : `[${path.index}]`}`;
  if (service === READ) {
    const count = get16(bytes, data);
    return `reads ${name}${count === 1 ? "" : ` and ${count - 1} more`}`;
  }
  if (service !== WRITE) return `service 0x${service!.toString(16)}`;
  const value = bytes.subarray(data + 4, end).toHex();
  return `writes ${name} as ${typeName(get16(bytes, data))}: ${value}`;
}

function readableAnswer(
  bytes: Uint8Array, at: number, end: number, mayHold: boolean,
): string | null {
  const service = bytes[at]! & 0x7f;
  const answer = new Answer();
  if (!answer.read(bytes, at, end, service)) return null;
  const { status, from, end: stop } = answer;
  if (service === SEVERAL) {
    const count = from + 2 > stop ? 0 : get16(bytes, from);
    if (!mayHold || !isSeveral(bytes, from, stop, count)) {
      return status === 0 ? "several answers" : `refuses: ${wordsOf(status)}`;
    }
    return Array.from({ length: count }, (_, i) => readableAnswer(bytes,
      answerAt(bytes, from, stop, i), answerAt(bytes, from, stop, i + 1), false) ?? "?").join("; ");
  }
  if (status !== 0) return `refuses: ${wordsOf(status)}`;
  if (service === WRITE) return "has written it";
  return from + 2 > stop ? "an answer" : `gives ${typeName(get16(bytes, from))}: ` +
    bytes.subarray(from + 2, stop).toHex();
}
