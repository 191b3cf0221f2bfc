import { soundLrc, TextReader } from "./ascii.ts";
import { soundHeader } from "./mbap.ts";
import {
  BROADCAST, get16, isRead, MASK_WRITE, READ_COILS, READ_INPUTS, REFUSED, WRITE_COIL,
  WRITE_REGISTER,
} from "./pdu.ts";
import { soundCrc } from "./rtu.ts";

const areas = ["", "coil", "discrete", "holding", "input"];

/** Exception codes in words (application protocol 1.1b3, section 7). */
export const exceptions: Readonly<Record<number, string>> = {
  1: "illegal function", 2: "illegal address", 3: "illegal value", 4: "device failure",
  5: "acknowledged, not done yet", 6: "busy", 8: "memory parity error",
  10: "gateway has no path", 11: "gateway: device does not answer",
};

/** What a frame on TCP says, for a person; null = it is no whole frame. */
function readableTcp(bytes: Uint8Array, isRequest: boolean): string | null {
  if (bytes.length < 8 || !soundHeader(bytes, bytes.length)) return null;
  if (6 + get16(bytes, 4) !== bytes.length) return null;
  return readablePdu(`station ${bytes[6]}`, bytes.subarray(7), isRequest);
}

/** The same of a frame on a bus. */
function readableRtu(bytes: Uint8Array, isRequest: boolean): string | null {
  if (bytes.length < 4) return null;
  if (!soundCrc(bytes, 0, bytes.length)) return isRequest ? null : "CRC wrong, or part of a frame";
  return readablePdu(onBus(bytes[0]!), bytes.subarray(1, -2), isRequest);
}

/** What others say to each other on a bus: one frame after the other, as they come in one piece. */
export function readableTalk(bytes: Uint8Array): string {
  const told: string[] = [];
  for (let from = 0; from < bytes.length;) {
    let to = from + 4;
    while (to <= bytes.length && !soundCrc(bytes, from, to)) to += 1;
    if (to > bytes.length) {
      told.push("part of a frame");
      break;
    }
    const frame = bytes.subarray(from, to);
    const isRequest = frame.length === 8 && isRead(frame, 1);
    told.push(readablePdu(onBus(frame[0]!), frame.subarray(1, -2), isRequest));
    from = to;
  }
  return told.join("; ");
}

/** The same of a frame of text. */
function readableAscii(bytes: Uint8Array, isRequest: boolean): string | null {
  const reader = new TextReader();
  if (!bytes.some((character) => reader.read(character))) return null;
  const { bytes: frame, filled } = reader;
  if (!soundLrc(frame, filled)) return isRequest ? null : "LRC wrong";
  return readablePdu(onBus(frame[0]!), frame.subarray(1, filled - 1), isRequest);
}

/** What a frame of this framing says, for a person; null = it is no whole frame. */
export function readableAs(
  framing: "tcp" | "rtu" | "ascii", bytes: Uint8Array, isRequest: boolean,
): string | null {
  switch (framing) {
    case "tcp": return readableTcp(bytes, isRequest);
    case "rtu": return readableRtu(bytes, isRequest);
    case "ascii": return readableAscii(bytes, isRequest);
  }
}

const onBus = (station: number): string =>
  (station === BROADCAST ? "all stations" : `station ${station}`);

function readablePdu(who: string, pdu: Uint8Array, isRequest: boolean): string {
  const code = pdu[0]!;
  const head = `${who} FC${code & ~REFUSED}`;
  if ((code & REFUSED) !== 0) {
    return `${head} refused: ${pdu[1]} ${exceptions[pdu[1]!] ?? "of the maker's own"}`;
  }
  const reads = code >= READ_COILS && code <= READ_INPUTS;
  if (reads && !isRequest) return `${head} ${pdu[1]} bytes`;
  if (pdu.length < 5) return head;
  const from = get16(pdu, 1);
  const what = reads ? `reads ${areas[code]}` : isRequest ? "writes" : "wrote";
  if (code === MASK_WRITE) return `${head} ${what} bits of ${from}`;
  if (code === WRITE_COIL || code === WRITE_REGISTER) return `${head} ${what} ${from}`;
  const count = get16(pdu, 3);
  return `${head} ${what} ${count === 1 ? from : `${from}..${from + count - 1}`}`;
}
