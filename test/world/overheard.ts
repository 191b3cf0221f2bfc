import type { Random } from "../../src/base.ts";
import { withCrc } from "../driver/support.ts";
import type { SharedLine, SimTty } from "./bus.ts";
import type { Timeline } from "./timeline.ts";

/** Stations that the other master reads, one after the other. */
const stations = [1, 2] as const;
const gap_ms = { least: 3, most: 250 } as const;
const timeout_ms = 100;
/** Of noise: how often a byte is another, and what becomes of an answer. */
const noise = { flip: 0.02, stray: 0.1, lost: 0.1, half: 0.1 } as const;
/** A thread that gets no processor reads its port so much later, and believes it young (ms). */
const held_ms_max = 2000;

/** What a station's two registers hold in an exchange: its number, and what proves it. */
const proofOf = (exchange: number, station: number): number =>
  (exchange * 40_503 + station * 7919 + 31) & 0xffff;

/** A bus that another master has. Who listens there may hear what is wrong, and never speaks. */
export class OverheardBus implements SharedLine {
  /** Until when there is noise, or the master is silent (simulated ms). */
  noisyUntil = 0;
  silentUntil = 0;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #character_ms: number;
  readonly #wrong: (text: string) => void;
  #tty: SimTty | null = null;
  #exchange = 0;
  /** When each exchange began. */
  readonly #began: number[] = [];
  /** The newest of each station that became a row. */
  readonly #newest = new Map<number, number>();

  constructor(
    character_ms: number, timeline: Timeline, random: Random, wrong: (text: string) => void,
  ) {
    this.#character_ms = character_ms;
    this.#timeline = timeline;
    this.#random = random;
    this.#wrong = wrong;
  }

  start(until: number): void {
    const next = (): void => {
      const { now } = this.#timeline;
      if (now > until) return;
      const took = now < this.silentUntil ? timeout_ms : this.#read();
      this.#timeline.after(took + gap_ms.least +
        this.#random.next() * (gap_ms.most - gap_ms.least), next);
    };
    next();
  }

  open(tty: SimTty): void {
    this.#tty = tty;
  }

  left(): void {
    this.#tty = null;
  }

  shut(tty: SimTty): void {
    if (this.#tty === tty) this.#tty = null;
  }

  transmit(bytes: Uint8Array): void {
    this.#wrong(`sent on a bus that is only listened to: ${bytes.toHex()}`);
  }

  /**
   * A row that somebody got, begun at a time by its own word: both values are of one exchange that
   * was heard then, or none is good.
   */
  look(station: number, number: unknown, proof: unknown, begun: number): void {
    if (number === null && proof === null) return;
    const told = `station ${station} ${String(number)} ${String(proof)}`;
    const began = this.#began[number as number];
    if (began === undefined || proof !== proofOf(number as number, station)) {
      return this.#wrong(`heard what nobody said: ${told}`);
    }
    if (began < begun - held_ms_max) this.#wrong(`heard ${begun - began} ms ago: ${told}`);
    if ((this.#newest.get(station) ?? 0) >= (number as number)) this.#wrong(`not new: ${told}`);
    this.#newest.set(station, number as number);
  }

  /** One read; the ms that it takes. */
  #read(): number {
    const random = this.#random;
    const exchange = (this.#exchange = (this.#exchange + 1) & 0xffff);
    const station = stations[exchange % stations.length]!;
    const proof = proofOf(exchange, station);
    this.#began[exchange] = this.#timeline.now;
    const asked = this.#say(0, withCrc(station, 3, 0, 0, 0, 2)) + 1 + random.next() * 5;
    const isNoisy = this.#timeline.now < this.noisyUntil;
    if (isNoisy && random.chance(noise.lost)) return asked + timeout_ms;
    const stray = isNoisy && random.chance(noise.stray)
      ? Array.from({ length: 1 + random.below(12) }, () => random.below(256)) : [];
    const answer = [...withCrc(station, 3, 4, exchange >> 8, exchange & 255, proof >> 8,
      proof & 255)];
    const isHalf = isNoisy && random.chance(noise.half);
    return this.#say(asked, Uint8Array.from([...stray,
      ...isHalf ? answer.slice(0, 1 + random.below(answer.length - 1)) : answer]));
  }

  /** Puts bytes on the line in so many ms, as they are heard; when they end. */
  #say(after: number, bytes: Uint8Array): number {
    const random = this.#random;
    const isNoisy = this.#timeline.now < this.noisyUntil;
    const heard = bytes.map((byte) =>
      (isNoisy && random.chance(noise.flip) ? byte ^ (1 + random.below(255)) : byte));
    let at = after;
    for (let from = 0; from < heard.length;) {
      const piece = heard.slice(from, from + 1 + random.below(heard.length));
      at += piece.length * this.#character_ms;
      this.#timeline.after(at, () => this.#tty?.heard(piece));
      from += piece.length;
    }
    return at;
  }
}
