import { Database } from "bun:sqlite";
import type { Gateway } from "../../src/config.ts";
import type { FrameRecord } from "../../src/sim/link.ts";
import { broadcast, minIntervals } from "./site.ts";

/** A write as a device got it. */
export interface WriteFrame {
  /** Monotonic ms at which the device had it. */
  readonly at: number;
  /** … and at which it left the gateway. */
  readonly left: number;
  readonly tag: string;
  /** Raw words, hex. */
  readonly words: string;
}

interface Admitted {
  readonly row: number;
  /** ms from the command to its outcome. */
  readonly took: number;
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
export const travel_ms = 20;
/** From a command to its outcome at most, with nothing in its way but polls. */
const write_ms_max = 160;
/** … on the bus: a broadcast before it, and then it may be one itself. */
const bus_write_ms_max = write_ms_max + 2 * broadcast.turnaround;
const writing = new Set([5, 6, 15, 16, 22, 23]);

/** The tags' places: `link station area address`, and the bit of a register's behind a dot. */
export function placesOf(gateway: Gateway): Map<string, string> {
  return new Map(gateway.devices.flatMap((device) => device.groups.flatMap((group) =>
    group.tags.filter((tag) => tag.writable).map((tag) =>
      [`${device.link} ${device.station} ${tag.at}`, tag.id] as const))));
}

/** By function code: how many bytes such a request has, and what it writes where. */
function written(bytes: Buffer): { length: number; at: string; words: Buffer } | null {
  const code = bytes[1]!;
  const from = bytes.readUInt16BE(2);
  switch (code) {
    case 5: {
      const on = bytes[4] === 0xff ? 1 : 0;
      return { length: 6, at: `coil ${from}`, words: Buffer.of(on) };
    }
    case 6: return { length: 6, at: `holding ${from}`, words: bytes.subarray(4) };
    case 15: return { length: 8, at: `coil ${from}`, words: bytes.subarray(7) };
    case 16: return { length: 7 + (bytes[6] ?? 0), at: `holding ${from}`,
      words: bytes.subarray(7) };
    case 22: {
      const bit = Math.log2(0xffff ^ bytes.readUInt16BE(4));
      return { length: 8, at: `holding ${from}.${bit}`, words: bytes.subarray(6) };
    }
    default: return null;
  }
}

/** A write in a frame that a device received whole; null = it is none. */
export function writeOf(
  frame: FrameRecord, places: ReadonlyMap<string, string>, left: number,
): WriteFrame | null {
  if (frame.dir !== "in" || !frame.valid) return null;
  const whole = Buffer.from(frame.bytes, "hex");
  const bytes = frame.link === "bus" ? whole.subarray(0, -2) : whole.subarray(6);
  const [station, code] = bytes;
  if (!writing.has(code!)) return null;
  const write = bytes.length < 6 ? null : written(bytes);
  // One of 65,536 frames that are cut off fits its checksum; no device takes one of a wrong length.
  if (write !== null && bytes.length !== write.length) return null;
  const tag = write === null ? undefined : places.get(`${frame.link} ${station} ${write.at}`);
  return { at: frame.t, left, tag: tag ?? "nowhere", words: write?.words.toString("hex") ?? "" };
}

/** When an arming held (monotonic ms), as the gateway's log told. */
export interface Arming {
  readonly tag: string;
  readonly from: number;
  until: number;
}

/** Spans of time, monotonic ms, in which nothing is wrong. */
export type Calm = readonly (readonly [from: number, to: number])[];

/**
 * W14, W15, W21: each frame is one admitted row's, in its time; each row ends, and quickly where
 * nothing hinders it.
 */
export function judgeWrites(
  path: string, frames: readonly WriteFrame[], armings: ReadonlyMap<number, Arming>, calm: Calm,
  wrong: (text: string) => void,
): { rows: number; verified: number } {
  const rows = admittedOf(path);
  const fits = (row: Admitted, { at, left, tag, words }: WriteFrame): boolean =>
    row.tag === tag && row.words === words && row.outcome !== "refused" &&
    row.monotonic <= at && at <= row.notAfter + travel_ms &&
    holds(armings.get(row.arming), tag, left);
  const ofRows = byKey(rows), ofFrames = byKey(frames);
  for (const frame of unmatched(frames, ofRows, (frame, row) => fits(row, frame))) {
    wrong(`a frame of nobody, sent twice, late, or unarmed: ${JSON.stringify(frame)}`);
  }
  const arrived = rows.filter(({ outcome }) =>
    outcome === "verified" || outcome === "acknowledged" || outcome === "rejected");
  for (const row of unmatched(arrived, ofFrames, fits)) wrong(`no frame: ${JSON.stringify(row)}`);
  for (const row of rows) {
    if (row.origin === "prove" && rows.filter(({ arming }) => arming === row.arming).length > 1) {
      wrong(`the arming of a proof was used by others: ${JSON.stringify(row)}`);
    }
    if (row.outcome === null) wrong(`no outcome: ${JSON.stringify(row)}`);
    const inCalm = calm.some(([from, to]) => row.monotonic >= from && row.monotonic <= to);
    // A loss has its row from the arming on; a proof is armed before it is carried out.
    const asked = !row.origin.startsWith("onLoss:") && row.origin !== "prove";
    const isOnBus = row.tag === broadcast.tag || row.tag.startsWith("drive-");
    const most = isOnBus ? bus_write_ms_max : write_ms_max;
    if (inCalm && asked && row.took > most) wrong(`slow: ${JSON.stringify(row)}`);
  }
  judgePace(rows, frames, fits, wrong);
  return { rows: rows.length, verified: rows.filter((r) => r.outcome === "verified").length };
}

interface Written {
  readonly tag: string;
  readonly words: string;
}

function byKey<T extends Written>(all: readonly T[]): Map<string, T[]> {
  return Map.groupBy(all, ({ tag, words }) => `${tag} ${words}`);
}

/**
 * Those of `all` for which no partner is left, if the partners are given out as well as can be
 * (augmenting paths; Kuhn 1955). What has another tag or other words is no partner.
 */
function unmatched<T extends Written, P extends Written>(
  all: readonly T[], partners: ReadonlyMap<string, readonly P[]>,
  fits: (one: T, other: P) => boolean,
): T[] {
  const taken = new Map<P, T>();
  const place = (one: T, seen: Set<P>): boolean => {
    for (const other of partners.get(`${one.tag} ${one.words}`) ?? []) {
      if (seen.has(other) || !fits(one, other)) continue;
      seen.add(other);
      const holder = taken.get(other);
      if (holder !== undefined && !place(holder, seen)) continue;
      taken.set(other, one);
      return true;
    }
    return false;
  };
  return all.filter((one) => !place(one, new Set()));
}

function holds(arming: Arming | undefined, tag: string, at: number): boolean {
  return arming?.tag === tag && at >= arming.from && at <= arming.until + travel_ms;
}

/** Two frames for a tag, of which the later cannot be a loss: a loss does not wait (W20). */
function judgePace(
  rows: readonly Admitted[], frames: readonly WriteFrame[],
  fits: (row: Admitted, frame: WriteFrame) => boolean, wrong: (text: string) => void,
): void {
  const losses = rows.filter((row) => row.origin.startsWith("onLoss:"));
  const last = new Map<string, number>();
  for (const frame of frames) {
    const { tag, at } = frame;
    const after = at - (last.get(tag) ?? -Infinity);
    last.set(tag, at);
    const tooSoon = after < minIntervals[tag as keyof typeof minIntervals] - travel_ms;
    if (tooSoon && !losses.some((row) => fits(row, frame))) {
      wrong(`too soon: ${JSON.stringify(frame)}, ${after} ms after the one before`);
    }
  }
}

function admittedOf(path: string): Admitted[] {
  const db = new Database(path, { readonly: true });
  const rows = db.query(
    `SELECT row, tag, origin, lower(hex(words)) AS words, arming, monotonic,
       monotonic + (not_after - time) AS notAfter, sent, outcome, code,
       ended - received AS took
     FROM attempts WHERE verdict = 'admitted' ORDER BY row`).all() as Admitted[];
  db.close();
  return rows;
}
