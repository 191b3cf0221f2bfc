import { Database } from "bun:sqlite";
import type { Gateway } from "../../src/config.ts";
import type { FrameRecord } from "../../src/sim/link.ts";
import { minIntervals } from "./site.ts";

/** A write as a device got it. */
export interface WriteFrame {
  /** Monotonic ms. */
  readonly at: number;
  readonly tag: string;
  /** Raw words, hex. */
  readonly words: string;
}

interface Admitted {
  readonly row: number;
  readonly tag: string;
  readonly origin: string;
  readonly words: string;
  readonly arming: number;
  /** Monotonic ms. */
  readonly monotonic: number;
  readonly notAfter: number;
  readonly sent: number | null;
  readonly outcome: string | null;
  readonly code: string | null;
}

/** How long bytes may be on their way, a port's buffer and a frame's own length included (ms). */
const travel_ms = 20;
const writing = new Set([5, 6, 15, 16, 22, 23]);

/** The tags' places: `link station address`. */
export function placesOf(gateway: Gateway): Map<string, string> {
  return new Map(gateway.devices.flatMap((device) => device.groups.flatMap((group) =>
    group.tags.filter((tag) => tag.access === "read-write").map((tag) =>
      [`${device.link} ${device.station} ${Number(/\d+$/.exec(tag.at)![0])}`, tag.id] as const))));
}

/** A write in a frame that a device received whole; null = it is none. */
export function writeOf(frame: FrameRecord, places: ReadonlyMap<string, string>): WriteFrame | null {
  if (frame.dir !== "in" || !frame.valid) return null;
  const pdu = frame.bytes.slice(frame.link === "bus" ? 0 : 12, frame.link === "bus" ? -4 : undefined);
  const bytes = Buffer.from(pdu, "hex");
  const [station, code] = bytes;
  if (!writing.has(code!)) return null;
  const tag = places.get(`${frame.link} ${station} ${bytes.readUInt16BE(2)}`) ?? "nowhere";
  return { at: frame.t, tag, words: bytes.subarray(code === 16 ? 7 : 4).toString("hex") };
}

/** When an arming held (monotonic ms), as the gateway's log told. */
export interface Arming {
  readonly tag: string;
  readonly from: number;
  until: number;
}

/** W14, W15, W21: each frame is one admitted row's, in its time, and each row ends. */
export function judgeWrites(
  path: string, frames: readonly WriteFrame[], armings: ReadonlyMap<number, Arming>, wrong: (text: string) => void,
): { rows: number; verified: number } {
  const rows = admittedOf(path);
  const open = new Map<string, Admitted[]>();
  for (const row of rows) {
    const key = `${row.tag} ${row.words}`;
    open.set(key, [...open.get(key) ?? [], row]);
  }
  // Of the rows that a frame may be, the one whose time is over first.
  for (const among of open.values()) among.sort((a, b) => a.notAfter - b.notAfter);
  const matched = new Set<number>();
  const last = new Map<string, number>();
  for (const frame of frames) {
    const { at, tag } = frame;
    const among = open.get(`${tag} ${frame.words}`) ?? [];
    const i = among.findIndex((row) => row.monotonic <= at && at <= row.notAfter + travel_ms &&
      row.outcome !== "refused" && holds(armings.get(row.arming), tag, at));
    const [row] = i < 0 ? [] : among.splice(i, 1);
    if (row === undefined) {
      wrong(`a frame of nobody, sent twice, late, or unarmed: ${JSON.stringify(frame)}`);
    } else {
      matched.add(row.row);
      judgePace(row, frame, last.get(tag) ?? -Infinity, wrong);
    }
    last.set(tag, at);
  }
  for (const row of rows) {
    if (row.outcome === null) wrong(`no outcome: ${JSON.stringify(row)}`);
    const arrived = row.outcome === "verified" || row.outcome === "acknowledged" ||
      row.outcome === "rejected";
    if (arrived && !matched.has(row.row)) wrong(`no frame: ${JSON.stringify(row)}`);
  }
  return { rows: rows.length, verified: rows.filter((r) => r.outcome === "verified").length };
}

function holds(arming: Arming | undefined, tag: string, at: number): boolean {
  return arming?.tag === tag && at >= arming.from && at <= arming.until + travel_ms;
}

/** A loss does not wait (W20). */
function judgePace(
  row: Admitted, { tag, at }: WriteFrame, last: number, wrong: (text: string) => void,
): void {
  const least = minIntervals[tag as keyof typeof minIntervals];
  if (!row.origin.startsWith("onLoss:") && at - last < least - travel_ms) {
    wrong(`too soon: ${JSON.stringify(row)} at ${at}, after ${last}`);
  }
}

function admittedOf(path: string): Admitted[] {
  const db = new Database(path, { readonly: true });
  const rows = db.query(
    `SELECT row, tag, origin, lower(hex(words)) AS words, arming, monotonic,
       monotonic + (not_after - time) AS notAfter, sent, outcome, code
     FROM attempts WHERE verdict = 'admitted' ORDER BY row`).all() as Admitted[];
  db.close();
  return rows;
}
