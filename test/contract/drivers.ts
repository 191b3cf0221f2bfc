import { cells } from "../../examples/driver/cells/driver.ts";
import type { Link } from "../../src/config.ts";
import {
  ethernetIp, modbusTcp, s7, telegramTcp, PENDING, type Driver, type DriverTag, type Request,
  type Server, type Session, type Wire,
} from "../../src/driver.ts";
import { readCell, type Ring, type Written } from "../../src/ring.ts";
import { linkOf, ringFor, tag } from "../driver/support.ts";

/** What the suite must know of a driver that turns bytes: how its addresses are spelled. */
export interface Kit {
  readonly driver: Driver;
  readonly settings: Record<string, unknown>;
  /** A place for the n-th number of a type; places of one n never overlap. */
  at(type: string, n: number): string;
  /** A place for a text of twelve characters that can be written; left out: it has none. */
  readonly textAt?: string;
  /** Where item `i` of an array lies, types apart; left out: there are none. */
  item?(type: string, i: number): string;
  /** Answers do not say whose they are: a timeout gives up the connection that they come by. */
  readonly isUnnumbered?: boolean;
  /** Addresses that a newcomer writes, and what the sentence must say. */
  readonly wrong: readonly (readonly [at: string, type: string, says: RegExp])[];
}

export const numberTypes = ["int16", "uint16", "int32", "uint32", "float32", "float64"] as const;
/** Longer than any wait of a session. */
const long_ms = 1e6;
/** An exchange that takes more of them never ends. */
const waits_max = 100;
const host = { host: "127.0.0.1", timeout: "100ms" };

const orderOf = (type: string): number => Object.keys(itemBytes).indexOf(type);
const itemBytes: Readonly<Record<string, number>> =
  { int16: 2, uint16: 2, int32: 4, uint32: 4, float32: 4, float64: 8 };

const modbus: Kit = {
  driver: modbusTcp, settings: host, textAt: "holding 400",
  at: (type, n) => (type === "bool" ? `coil ${n}` : `holding ${n * 4}`),
  item: (type, i) => (type === "bool" ? `coil ${5000 + i}`
    : `holding ${5000 + 300 * orderOf(type) + i * (itemBytes[type]! / 2)}`),
  wrong: [["holding", "int16", /no Modbus address/], ["holding 1.16", "bool", /bit/]],
};

export const kits: readonly Kit[] = [
  modbus,
  { ...modbus, isUnnumbered: true, settings: { ...host, framing: "rtu" } },
  {
    driver: s7, settings: host, textAt: "DB1.DBB4000",
    at: (type, n) => (type === "bool" ? `DB1.DBX${n * 8}.3` : `DB1.DBW${n * 8}`),
    item: (type, i) => (type === "bool" ? `DB2.DBX${(i + 3) >> 3}.${(i + 3) & 7}`
      : `DB${3 + orderOf(type)}.DBW${10 + i * itemBytes[type]!}`),
    wrong: [
      ["holding 9", "int16", /no S7 address; write `DB1\.DBD4`/],
      ["DB1.DBX0.8", "bool", /`\.0` to `\.7`/],
      ["DB1.DBD4", "int16", /D stands for 4 bytes, and int16 has 2: write W/],
      ["DB1.DBX4.0", "int16", /\.0 picks a bit: the type must be bool/],
      ["DB1.DBW4", "bool", /a bool is a bit/],
      ["DB0.DBW4", "int16", /DB1 to DB65535/],
      ["DB1.DBB4", "text(300)", /at most 222 bytes/],
      ["T5", "int16", /timers and counters/],
      ["DB1.DBD65534", "int32", /an area ends at 65535/],
      ["MW10", "time", /spelled by its type in the program: `DB1\.DTL20`/],
      ["DB1.DTL20", "int32", /DTL is a moment: the type must be time/],
      ["DB1.DTL65530", "time", /an area ends at 65535/],
    ],
  },
  {
    driver: ethernetIp, settings: host, textAt: "Recipe.Name",
    at: (type, n) => (type === "bool" ? `flag${n}` : `tag_${type}[${n}]`),
    item: (type, i) => `many_${type}[${i + 27}]`,
    wrong: [
      ["holding 9", "int16", /"holding 9" is no tag name/],
      ["1!400001", "int16", /no station stands in front/],
      ["Motor..Speed", "int16", /missing beside a dot/],
      ["Status.5", "int16", /the type must be bool/],
      ["Status.64", "bool", /`\.63`/],
      ["A[1,2,3,4]", "int16", /three dimensions/],
      [`${"x".repeat(41)}`, "int16", /at most 40 characters/],
      ["Recipe", "bytes(8)", /each member by its path/],
      ["Recipe", "int16[4]", /an array begins at an element of one dimension, as in `Recipe\[0\]`/],
      ["Grid[1,0]", "int16[4]", /one dimension/],
      ["Status.60", "bool[8]", /`\.63`/],
      ["Recipe[0]", "float64[60]", /fills 480 bytes and one read carries \d+: .* at most 57 items/],
    ],
  },
  {
    driver: telegramTcp, isUnnumbered: true,
    settings: { ...host, port: 1, ...binaryTelegrams() },
    at: (type, n) => `${type}_${(n / 10 & 3) + 1} byte ${3 + (n % 10) * 8}`,
    wrong: [
      ["int61_1 byte 3", "int16", /was int16_1 meant\?/],
      ["int16_1 field", "int16", /no place in a telegram/],
    ],
  },
  {
    // The worked example of docs/driver-contract.md.
    driver: cells, settings: host,
    at: (_type, n) => `cell ${n}`,
    wrong: [
      ["holding 9", "int16", /is no cell; write `cell 12`/],
      ["cell 65536", "int16", /0 to 65535/],
      ["cell 1", "text(8)", /a cell holds a number/],
    ],
  },
];

/** Four telegrams of ten numbers for each type, with a length in front and an acknowledgement. */
function binaryTelegrams(): object {
  const length = "<00><00>";
  return {
    frame: { length: { at: 1, bytes: 2, plus: 2 }, maxBytes: 400,
      checksum: { kind: "crc16", order: "low-first" } },
    telegrams: Object.fromEntries([...numberTypes, "bool"].flatMap((type) =>
      [1, 2, 3, 4].map((n) => [`${type}_${n}`, {
        send: `${length}?${type}${n}`, write: `${length}=${type}${n}{value}`,
        acknowledge: `${length}OK`, example: length + ".".repeat(80),
      }]))),
  };
}

/** Numbers of every type and some bools, of one device. */
export function tagsOf(kit: Kit, each: number): DriverTag[] {
  const numbers = numberTypes.flatMap((type, t) => Array.from({ length: each }, (_, i) =>
    tag(kit.at(type, t * each + i), type, { id: `d.${type}_${i}` })));
  return ringFor(numbers).tags;
}

const links = new Map<Kit, Link>();

export function linkFor(kit: Kit): Link {
  let link = links.get(kit);
  if (link === undefined) links.set(kit, (link = linkOf(kit.driver, kit.settings)));
  return link;
}

/** A session and the driver's own server, with a wire between them that the test holds. */
export class Bench implements Wire {
  readonly link: Link;
  readonly session: Session;
  readonly values = new Map<string, Written | null>();
  readonly written: [string, Written][] = [];
  /** Requests that reached the server, and resets. */
  frames: Uint8Array[] = [];
  resets: (string | undefined)[] = [];
  isOpen = true;
  /** What happens to the server's bytes on the way: by default nothing. */
  onAnswer: (bytes: Uint8Array) => Uint8Array | null = (bytes) => bytes;
  readonly #kit: Kit;
  readonly #tags: readonly DriverTag[];
  readonly #plans = new Map<readonly DriverTag[], readonly Request[]>();
  #server: Server;
  #answers: Uint8Array[] = [];

  constructor(kit: Kit, tags: readonly DriverTag[]) {
    this.#kit = kit;
    this.#tags = tags;
    this.link = linkFor(kit);
    this.session = kit.driver.open(this.link, this);
    this.#server = this.#serve();
  }

  open(): void {
    this.isOpen = true;
    this.#answers = [];
    this.#server = this.#serve();
  }

  send(bytes: Uint8Array, n: number): boolean {
    if (!this.isOpen) return false;
    this.#server.receive(bytes.slice(0, n), n, 0, {
      frame: (frame, count) => { this.frames.push(frame.slice(0, count)); },
      reply: (answer, count) => {
        const bytes = this.onAnswer(answer.slice(0, count));
        if (bytes !== null) this.#answers.push(bytes);
      },
    });
    return true;
  }

  drain(): void {}

  reset(why?: string): void {
    this.isOpen = false;
    this.resets.push(why);
    this.session.abort();
  }

  /** Delivers what waits, in pieces of `size`, until the exchange has ended or nothing comes. */
  run(now: number, size = Infinity): number {
    this.session.step(now);
    while (this.session.result === PENDING && this.#answers.length > 0) {
      const bytes = this.#answers.shift()!;
      for (let at = 0; at < bytes.length && this.isOpen; at += size) {
        const piece = bytes.subarray(at, at + size);
        this.session.receive(piece, piece.length, now);
      }
    }
    return this.session.result;
  }

  /** Reads all of a plan into the next row; gives the results. */
  poll(ring: Ring, tags: readonly DriverTag[], now: number, size = Infinity): number[] {
    let plan = this.#plans.get(tags);
    if (plan === undefined) this.#plans.set(tags, (plan = this.#kit.driver.plan(tags, this.link)));
    ring.claim(1);
    let time = now;
    const results = plan.map((request) => {
      this.session.read(request, ring, ring.head, time);
      let result = this.run(time, size);
      // Nothing more comes, or nothing may be sent yet: time goes on.
      for (let n = 0; result === PENDING && n < waits_max; n++) {
        time += long_ms;
        result = this.run(time);
      }
      return result;
    });
    ring.publish(1);
    return results;
  }

  #serve(): Server {
    return this.#kit.driver.serve(this.#tags, this.link, {
      value: (one) => (this.values.has(one.id) ? this.values.get(one.id)! : 0),
      written: (one, value) => {
        this.written.push([one.id, value]);
        this.values.set(one.id, value);
        return true;
      },
    });
  }
}

export const newest = (ring: Ring, tags: readonly DriverTag[]): unknown[] =>
  tags.map((one) => readCell(ring, ring.columns[one.column]!, (ring.head - 1) | 0));

export const states = (ring: Ring, tags: readonly DriverTag[]): number[] => tags.map((one) =>
  ring.arena.U[ring.columns[one.column]!.state + ((ring.head - 1) & ring.mask)]!);
