import { character_ms, type LineSettings } from "../wire/line.ts";
import { Echo } from "./echo.ts";
import { BROADCAST, mayRepeat, READ_INPUTS } from "./pdu.ts";

/**
 * When a bus may be used, and what was received of it. No transaction number says to which request
 * an answer belongs: so a station that did not answer is left alone until its answer would be over
 * (W14), also where the line is carried by TCP or UDP (`line` null: bytes take no time of ours).
 */
export abstract class LineFraming {
  stray = 0;
  odd = 0;
  readonly isNumbered = false;
  foreign = false;
  abstract readonly pdu: Uint8Array;
  abstract readonly pduAt: number;
  protected readonly echo = new Echo();
  /** Bytes of the frame that left last. */
  protected sent_bytes = 0;
  /** Bytes that came since then, without those of its echo. */
  #heard = 0;
  protected readonly character_ms: number;
  protected readonly silence_ms: number;
  /** Monotonic ms of the last character on the bus, ours or another's. */
  #busyUntil = -Infinity;
  /** By station: nothing is sent before (W14). */
  readonly #quietUntil = new Float64Array(256).fill(-Infinity);
  #silentStation = 0;
  #timeout_ms = 0;

  constructor(line: LineSettings | null, silence_ms: number) {
    this.character_ms = line === null ? 0 : character_ms(line);
    this.silence_ms = silence_ms;
  }

  sendAt(station: number, _now: number): number {
    return Math.max(this.#busyUntil + this.silence_ms, this.#quiet(station));
  }

  /** A broadcast goes to each station that is still left alone. */
  #quiet(station: number): number {
    const quietUntil = this.#quietUntil;
    if (station !== BROADCAST) return quietUntil[station]!;
    let last = -Infinity;
    for (let i = 0; i < quietUntil.length; i++) last = Math.max(last, quietUntil[i]!);
    return last;
  }

  sent(n: number, now: number): void {
    this.#busyUntil = now + this.travel(n);
    this.sent_bytes = n;
    this.#heard = 0;
    this.odd = 0;
    this.echo.sent(this.pdu[this.pduAt]! > READ_INPUTS, mayRepeat(this.pdu, this.pduAt));
  }

  get isHeard(): boolean {
    return this.#heard > 0;
  }

  get remark(): string {
    return this.echo.comes ? "the adapter echoes what is sent, which is passed over" : "";
  }

  travel(n: number): number {
    return n * this.character_ms;
  }

  abstract discard(): void;

  clear(goesOn: boolean): void {
    this.odd = 0;
    this.foreign = false;
    if (!goesOn) this.echo.clear();
  }

  unanswered(station: number, timeout_ms: number, now: number): void {
    this.#silentStation = station;
    this.#timeout_ms = timeout_ms;
    this.#quietUntil[station] = now + timeout_ms;
    this.discard();
  }

  /** `n` bytes came, and the last character is over. */
  protected came(n: number, now: number): void {
    this.#busyUntil = Math.max(this.#busyUntil, now);
    this.#heard += n;
  }

  /** The frame that left stood among what came, `inDoubt` whether as its answer. */
  protected echoed(inDoubt: boolean): void {
    this.#heard -= this.sent_bytes;
    this.echo.skipped(inDoubt);
  }

  /** `n` bytes belong to nobody: it may be the late answer, and more of it may follow. */
  protected strayed(n: number): void {
    if (n === 0) return;
    this.stray += n;
    this.echo.strayed(n);
    const quietUntil = this.#quietUntil[this.#silentStation]!;
    if (quietUntil <= this.#busyUntil) {
      this.odd += n;
      return;
    }
    this.#quietUntil[this.#silentStation] =
      Math.max(quietUntil, this.#busyUntil + this.#timeout_ms);
  }
}
