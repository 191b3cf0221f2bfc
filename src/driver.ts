import type { z } from "zod";
import type { Log } from "./base.ts";
import type { Ring, TagType, Written } from "./ring.ts";
import type { Link } from "./config.ts";

/**
 * The southbound contract. A driver turns tags into requests (pure), and runs one exchange at a
 * time over a wire that somebody else owns. It has no timer, no socket and no tty: `step` is called
 * when bytes came, when its deadline passed, and after `read` or `write`. The runtime owns
 * schedule, retry, back-off, metrics and the gate.
 */
export interface Driver extends Protocol {
  readonly medium: Medium;
  open(link: Link, wire: Wire): Session;
  /**
   * Of a serial line that several masters may share: an ear that knows their requests among bytes
   * that are heard before the first one is sent. Left out: nobody else speaks on this line; null:
   * others do, and we never.
   */
  ear?(link: Link): MasterEar | null;
  /** The built-in server: answers the tags of a configuration (simulator, simulated world). */
  serve(tags: readonly DriverTag[], link: Link, host: ServeHost): Server;
  /** How devices are found that nobody told of. Left out: they cannot be searched for. */
  readonly search?: Search;
}

/** What a search on a link asks (`tagwerk scan`): reads alone. */
export interface Search {
  /** Least and largest number of a station. */
  readonly stations: readonly [number, number];
  /** Where registers are looked for: an address is the name and a number from 0 to `last`. */
  readonly areas: readonly { readonly name: string; readonly type: TagType }[];
  readonly last: number;
  /** Exceptions of a station that has nothing of the area, and of nobody at all. */
  readonly withoutArea: readonly number[];
  readonly absent: readonly number[];
  /** Settings of a line whose own are not known, the likeliest first; empty = it has none. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
}

/**
 * The second kind: a client library that owns its sockets and timers. It brings rows when the
 * server sends them, and the runtime asks it for reads and writes of the gate; schedule, retry and
 * reconnection are the library's.
 */
export interface ClientDriver extends Protocol {
  readonly medium: "client";
  /**
   * Loads the library, and makes what must lie in `directory` before a link opens: on the thread of
   * a link of this type only, before `open`, and before the first turn, as it may hold its thread
   * for seconds.
   */
  load(directory: string): Promise<void>;
  open(link: Link, host: ClientHost): Client;
  /** Rows that one interval of a group may bring: its ring keeps room for them. */
  rowsPerInterval(link: Link): number;
  /** Asks a server by itself, for the command line; nothing else of the gateway runs. */
  readonly tools: ClientTools;
}

export type AnyDriver = Driver | ClientDriver;

/** What every driver knows of its links and tags. Pure. */
interface Protocol {
  /** The `type` of a link in the configuration. */
  readonly type: string;
  /** Settings of a link of this type, beside `type`; each with default and help. */
  readonly settings: z.ZodObject;
  /** Finds what is wrong with a tag on this link: one sentence of what would be right, or null. */
  checkTag(tag: DriverTag, link: Link): string | null;
  /** The same of tags that are one group, each of them right in itself. */
  checkGroup?(tags: readonly DriverTag[], link: Link): string | null;
  /**
   * What a write of the tag changes: tags of one link and station overlap if one extent of each
   * does (W13), such as a value and the structure around it. Pure.
   */
  extents(tag: DriverTag, link: Link): readonly Extent[];
  /** How many raw bytes `readRaw` gives of the tag, and `encode` makes. */
  rawBytes(tag: DriverTag): number;
  /** Few reads for many tags; `tags[i].column` is where each value goes. Pure. */
  plan(tags: readonly DriverTag[], link: Link): Request[];
  /** Two reads in the place of one that the device refused; null = it is of one tag. Pure. */
  split?(request: Request): readonly [Request, Request] | null;
  /** One read in the place of two that lie side by side without a gap; null = they do not. Pure. */
  join?(first: Request, second: Request): Request | null;
  /** What a person is told of a read that was refused, and answered in these pieces. Pure. */
  apart?(request: Request, pieces: readonly Request[]): string;
  /**
   * ms of the medium that a read and its answer take at least, by the line's own arithmetic; null =
   * not known before it was measured. Pure.
   */
  occupies(request: Request, link: Link): number | null;
  /**
   * The raw words a write of `value` puts on the wire and the value they will mean, or a Fault; a
   * text only for a tag that is one (`driver/wire/text.ts`).
   */
  encode(tag: DriverTag, value: Written, link: Link): Raw;
  /** What raw words mean in engineering units, or as a text. */
  decode(tag: DriverTag, raw: Uint8Array): Written;
  /** Writes that every device of a link obeys and none answers. Left out: there are none. */
  readonly broadcast?: Broadcast;
  /** True if an answer with this exception code says that a write did nothing (W15). */
  rejects(exception: number): boolean;
  /**
   * What of a link's settings leads to another device behind the same address, such as a slot, or
   * gives its tags another meaning: part of what a proof proves (W2). Left out: nothing does.
   */
  route?(link: Link): string;
  /**
   * What a person may try, as the end of a sentence that says what is wrong; null = nothing that is
   * known. Pure.
   */
  advise(trouble: Trouble, link: Link): string | null;
  /** What bytes of its medium say, for a person; null = they are no whole frame. */
  readable(bytes: Uint8Array, isRequest: boolean, link: Link): string | null;
}

/**
 * A tag that all devices of a link obey at once. It has no value: `plan` reads nothing of it, and
 * `readRaw` is never called. A write of it ends with `BAD.broadcast` once nobody can be disturbed
 * by what comes next.
 */
export interface Broadcast {
  is(tag: DriverTag): boolean;
  /** A write of raw words as it would leave, for a person to see before they arm it (W2). */
  frame(tag: DriverTag, raw: Uint8Array, link: Link): Uint8Array;
}

/** What is wrong with a station, or with one tag of it. */
export interface Trouble {
  readonly station: number;
  /** Null = the station as a whole. */
  readonly tag: DriverTag | null;
  /** A `BAD.*` state; `disconnected`: it ended a connection in which it had answered nothing. */
  readonly state: number;
  /** The device's own code where it refused something; 0 = there is none. */
  readonly exception: number;
  /** It has answered since the link began, or another station of the link has. */
  readonly answered: boolean;
  readonly othersAnswer: boolean;
}

/**
 * What carries the bytes: a connection that the gateway makes (`tcp`) or that the device makes
 * (`listen`), datagrams, or a serial port, which has a thread of its own.
 */
export type Medium = "tcp" | "listen" | "udp" | "serial";

/** True if what was heard up to now says that another master speaks. */
export type MasterEar = (bytes: Uint8Array, n: number) => boolean;

/** A range of one area, in the driver's own least units, `to` included. */
export interface Extent {
  /** One text for one place, however the configuration spells it; for a person, too. */
  readonly area: string;
  readonly from: number;
  readonly to: number;
  /** Only a part of what lies there changes: it and another part do not overlap for that. */
  readonly isPart?: true;
}

/**
 * A tag as a driver sees it: its device's defaults are already filled in. What it says is worked
 * out when it is asked for: a copy by spread has none of it, and its `id` is a new text each time.
 */
export interface DriverTag {
  /** `device.tag` */
  readonly id: string;
  readonly station: number;
  /** As the configuration spells it: `holding 9`, `400010`, `1!400010#BB`. */
  readonly at: string;
  /**
   * An array (`arrayOf`) is one read, which no plan and no `split` divides, and is never written:
   * `readRaw`, `encode` and `decode` do not meet it. A driver without them says so in `checkTag`.
   */
  readonly type: TagType;
  readonly scale: number;
  readonly offset: number;
  /** Decimals that a row's value is rounded to; null = none are cut. */
  readonly decimals: number | null;
  /** The raw numbers that stand for 4 and for 20 mA, of a tag that is such a signal. */
  readonly signal: readonly [number, number] | null;
  readonly wordOrder: "ABCD" | "CDAB" | "BADC" | "DCBA";
  readonly writable: boolean;
  /** Index of the tag's column in its group's ring. */
  readonly column: number;
}

/** Raw words as they stand on the wire, and the engineering value they mean. */
export interface Raw {
  readonly bytes: Uint8Array;
  readonly means: Written;
}

/** One read of a plan. What else it holds is the driver's own. */
export interface Request {
  readonly station: number;
  readonly tags: readonly DriverTag[];
  /** `holding 0..9`: for `explain`, `why` and error messages. */
  readonly text: string;
  /**
   * Nothing asks for it: the device speaks when it likes, and each telegram is one row of the
   * group, which has no other request.
   */
  readonly unasked?: boolean;
  /** What it puts on the wire, where the configuration spells it: `check` shows it (W24). */
  readonly sends?: string;
}

/** Bytes to and from one medium. An implementation reports through its `WireEvents`. */
export interface Wire {
  /** What it does while it opens, for a person; left out: it connects. */
  readonly opening?: string;
  /** Begins to open; `opened` or `closed` follows. */
  open(): void;
  /**
   * Puts `bytes[0..n)` on the medium at once; false = not open, nothing was sent. What the peer has
   * not taken `within_ms` later should be given up by the kernel, even if nobody calls `reset`.
   */
  send(bytes: Uint8Array, n: number, within_ms: number): boolean;
  /**
   * Forgets bytes that were received but not yet delivered, and, where the medium can tell, what
   * still comes for earlier requests: before one whose answer has no number.
   */
  drain(): void;
  /**
   * Ends now; nothing that is still buffered may leave later (W14). `closed` follows, with the
   * sentence `why`; left out while it opens, it says itself why that took too long. `anew`: all is
   * well but for an answer that may still come, and nothing would tell it from the next one; who
   * owns the wire opens it again at once.
   */
  reset(why?: string, anew?: boolean): void;
}

export interface WireEvents {
  /** `peer`: the address that answered; a change of it ends armings (W3). */
  opened(peer: string): void;
  received(bytes: Uint8Array, n: number): void;
  /** `isGone`: what comes back under the same name may be another thing: it ends armings (W3). */
  closed(reason: string, isGone?: boolean): void;
}

/** How an exchange ended. `PENDING` while it runs. A `BAD.*` state says what went wrong. */
export const PENDING = -1;
export const DONE = 0;

/**
 * One link's protocol machine. One exchange at a time: `read` or `write` begins it, `step` moves
 * it, `result` leaves `PENDING` when it ended.
 */
export interface Session {
  /** PENDING, DONE, or the `BAD.*` state that says why not (timeout, garbled, exception, …). */
  readonly result: number;
  /** Exception code of the last answer, 0 if none. */
  readonly exception: number;
  /** True once the bytes of the current exchange were handed to the wire. */
  readonly sent: boolean;
  /** The request's bytes on the medium, whole; until the next exchange begins. */
  readonly frame: Uint8Array;
  readonly counters: SessionCounters;
  /** What the device said when it last refused something, in words; empty or left out = nothing. */
  readonly trouble?: string;
  /** What the device says of tags that a read refuses, of each by itself. */
  readonly refusals?: ReadonlyMap<DriverTag, string>;
  /** False: connected, but the device has not greeted back yet. Left out: nobody greets. */
  readonly isGreeted?: boolean;
  /** What was found out about the medium and a person should know; empty or left out = nothing. */
  readonly remark?: string;
  /**
   * More exchanges that may run at the same time over the same wire, which this one receives and
   * aborts for: reads only, and never while this one writes.
   */
  readonly beside?: readonly Session[];
  /** Begins a read; on success the cells of row `seq` are written (payload and state). */
  read(request: Request, into: Ring, seq: number, now: number): void;
  /** Begins a read of one tag's raw words in one request; `raw` holds them when DONE. */
  readRaw(tag: DriverTag, raw: Uint8Array, now: number): void;
  /**
   * Begins a write of one tag's raw words in one frame. `last()` is called right before the bytes
   * go to the wire: null = nothing is sent and the result is `BAD.disconnected` with `sent` false
   * (W11); else the monotonic ms until which the frame may arrive. A medium that can take back what
   * is under way does so if there is no answer by then: it arrives in time or never (W14).
   */
  write(tag: DriverTag, raw: Uint8Array, last: () => number | null, now: number): void;
  /** Of a driver whose plan has unasked requests: from now on it tells of them. */
  listen?(listening: Listening, now: number): void;
  /** Within `came`: the telegram's values into the cells of row `seq`. */
  fill?(request: Request, into: Ring, seq: number): void;
  /** Bytes came. */
  receive(bytes: Uint8Array, n: number, now: number): void;
  /** Works off what is due and says when (monotonic ms) it wants to be called again. */
  step(now: number): number;
  /** The wire closed: the exchange ends with `BAD.disconnected`. */
  abort(): void;
}

/** Where a session tells, within `receive` or `step`, of what comes unasked. */
export interface Listening {
  /** One of each group that is filled so. */
  readonly requests: readonly Request[];
  /** ms between two rows of the group, where it is for us to say. */
  interval(request: Request): number;
  /** It has begun to come: its row bears this time. Left out: it came whole. */
  begins(request: Request): void;
  /** It came; within this call `fill` is called. */
  came(request: Request): void;
}

export interface SessionCounters {
  requests: number;
  answers: number;
  timeouts: number;
  garbled: number;
  exceptions: number;
  /** Bytes that belonged to no exchange: late answers, noise, another master. */
  stray: number;
  /** Round trip of the last answer, ms. */
  roundTrip: number;
}

export const newCounters = (): SessionCounters =>
  ({ requests: 0, answers: 0, timeouts: 0, garbled: 0, exceptions: 0, stray: 0, roundTrip: 0 });

/** What the runtime gives a client that owns its sockets. */
export interface ClientHost {
  readonly groups: readonly Rows[];
  /** A folder of its own below the store, for what must outlast the process: certificates. */
  readonly directory: string;
  readonly log: Log;
  /** Monotonic ms. */
  now(): number;
  /** Engine time. */
  time(): number;
  /** Told of the bytes that pass, for a person who looks. */
  tap(dir: "tx" | "rx", bytes: Uint8Array, n: number): void;
  /** Another peer answers than before: it ends the armings of the link's tags (W3). */
  peerChanged(peer: string): void;
  /** Something happened that a turn should look at soon: `step` is called. */
  wake(): void;
}

/**
 * The stream of one group, as a client fills it. What a row is not told repeats, with its state.
 * Between `begin` and `publish` the cells of row `seq` are the client's to write.
 */
export interface Rows {
  readonly stream: string;
  /** ms */
  readonly interval: number;
  readonly tags: readonly DriverTag[];
  readonly ring: Ring;
  /** Where rows go that were missed and read later; null = no rule reads them. */
  readonly history: Rows | null;
  /** A person has the device left alone: nothing is asked for it. */
  readonly isDisabled: boolean;
  /**
   * Begins a row that repeats what was told last. `time` is the engine time of which that holds,
   * which never goes back from row to row; `source` is the server's own, NaN = none.
   */
  begin(time: number, source: number): number;
  publish(): void;
  /** A row of which nothing counts: the last values, all with the state that says why. */
  spoil(time: number, state: number): void;
  /** What was told before is not known to hold any more: it repeats as not read. */
  forget(): void;
}

/** One link of a client library. */
export interface Client {
  readonly state: "closed" | "opening" | "open";
  readonly reason: string;
  /** The address that answers, empty if none did yet. */
  readonly peer: string;
  readonly opens: number;
  readonly counters: SessionCounters;
  /** ms that a value may be older than the row it stands in: the server looks when it likes. */
  lag_ms(stream: string): number;
  /** Writes the rows that came, some a turn; gives when (monotonic ms) it wants to be called. */
  step(now: number): number;
  /**
   * Reads the raw words of one tag; `done` is called exactly once. `notAfter`: monotonic ms after
   * which nobody waits for them: it is not begun then, nor is a connection or an answer waited for.
   */
  read(tag: DriverTag, raw: Uint8Array, notAfter: number, done: ClientDone): void;
  /**
   * Writes the raw words of one tag, at most once and over a connection that no retry outlives
   * (W14). `last` as in `Session.write`, called in the very call that hands the bytes on;
   * `notAfter` as in `read`.
   */
  write(
    tag: DriverTag, raw: Uint8Array, notAfter: number, last: () => number | null, done: ClientDone,
  ): void;
  /** A write that left and waits for its answer ends now, with its connection. */
  giveUpWrite(): void;
  close(): void;
}

/** As a session's result; `frame`: the bytes of a write that left, whole. */
export type ClientDone = (
  result: number, exception: number, sent: boolean, leftAt: number, frame: Uint8Array | null,
) => void;

/** What a server's nodes look like as tags. */
export interface FoundTag {
  readonly name: string;
  readonly at: string;
  readonly type: TagType;
  readonly writable: boolean;
}

/** One way into a server, as it tells everybody who asks: nothing of it is proved. */
export interface FoundEndpoint {
  readonly url: string;
  readonly application: string;
  readonly applicationUri: string;
  /** As the link's settings have it. */
  readonly security: string;
  readonly mode: "none" | "sign" | "sign-and-encrypt";
  /** How users may say who they are. */
  readonly users: readonly string[];
  /** Its SHA-256, and whom it names; null = it has none. */
  readonly certificate: { readonly fingerprint: string; readonly text: string } | null;
}

/** What a person trusts from now on. */
export interface Trusted {
  /** Whom it names, until when; and its SHA-256. */
  readonly text: string;
  readonly fingerprint: string;
  /** The file of our own certificate, which the server is to trust. */
  readonly own: string;
}

export interface ClientTools {
  /** The ways into a server, without a session: what a link's settings may be. */
  endpoints(link: Link, directory: string): Promise<FoundEndpoint[]>;
  /**
   * Trusts a certificate: one that was refused before, by its fingerprint, or the bytes of a file;
   * or a Fault.
   */
  trust(link: string, directory: string, certificate: string | Uint8Array): Promise<Trusted>;
  /** The readable values below a node (null: all), at most `most`. */
  browse(link: Link, directory: string, below: string | null, most: number): Promise<FoundTag[]>;
}

/** What a built-in server asks of its host; of an array item by item (`itemsOf`). */
export interface ServeHost {
  /**
   * The engineering value of a tag now, a text of a tag that holds characters or bytes; null = the
   * device answers with an exception.
   */
  value(tag: DriverTag): Written | null;
  /** An outside client wrote a tag. False = answer with an exception. */
  written(tag: DriverTag, value: Written): boolean;
}

/** Turns request bytes of one connection into answer bytes. Knows bytes and time, no socket. */
export interface Server {
  /** Feeds bytes; each complete frame calls `frame` and then `reply` with the answer (if any). */
  receive(bytes: Uint8Array, n: number, now: number, on: ServeEvents): void;
  /** For framing by silence: bytes older than this are a broken frame. */
  step(now: number, on: ServeEvents): number;
}

export interface ServeEvents {
  /** A complete request, before it is answered: for a frame log. `valid` = CRC and length. */
  frame(bytes: Uint8Array, n: number, valid: boolean): void;
  /** The answer to the frame just reported; the host may hold it back, damage it or drop it. */
  reply(bytes: Uint8Array, n: number): void;
}

export { itemsOf } from "./driver/wire/array.ts";
export { ethernetIp } from "./driver/ethernet-ip/driver.ts";
export {
  framingOf, modbusAscii, modbusListen, modbusRegisters, modbusRtu, modbusTcp, modbusUdp,
  type FramingName,
} from "./driver/modbus/driver.ts";
export { opcua } from "./driver/opcua/driver.ts";
export { overlap } from "./driver/overlap.ts";
export { s7 } from "./driver/s7/driver.ts";
export { createListenWire } from "./driver/wire/listen.ts";
export {
  telegramListen, telegramSerial, telegramTcp, telegramUdp,
} from "./driver/telegram/driver.ts";
export { createTcpWire, type TcpSettings } from "./driver/wire/tcp.ts";
export { createUdpWire } from "./driver/wire/udp.ts";
export { createTtyWire, type TtyWire } from "./driver/wire/tty.ts";
