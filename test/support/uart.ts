import { mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { openPty } from "../../src/base/os.ts";
import { preload } from "./preload.ts";

/** How a UART is set. */
export interface Line {
  readonly baud: number;
  readonly dataBits: 7 | 8;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
}

export interface Device extends Line {
  /** It takes characters with an error too, as cheap ones do. */
  readonly lenient?: boolean;
}

/** A character as a UART gives it to its program. */
interface Received {
  readonly value: number;
  /** Its parity bit is wrong, or no stop bit stands where one should. */
  readonly sound: boolean;
}

// termbits.h of the kernel.
const CBAUD = 0x100f, CSIZE = 0x30, CS7 = 0x20, CSTOPB = 0x40, PARENB = 0x100, PARODD = 0x200;
const speeds: Readonly<Record<number, number>> = {
  9: 1200, 11: 2400, 12: 4800, 13: 9600, 14: 19200, 15: 38400, 0x1001: 57600, 0x1002: 115200,
};

const lineOf = (flags: number): Line => ({
  baud: speeds[flags & CBAUD]!, dataBits: (flags & CSIZE) === CS7 ? 7 : 8,
  parity: (flags & PARENB) === 0 ? "none" : (flags & PARODD) === 0 ? "even" : "odd",
  stopBits: (flags & CSTOPB) === 0 ? 1 : 2,
});

const ones = (value: number): number => value.toString(2).replaceAll("0", "").length;
const parityBit = ({ parity }: Line, value: number): number =>
  (parity === "even" ? ones(value) % 2 : 1 - ones(value) % 2);

/** The levels of a line, in turn, while characters pass without a pause: each lasts one bit. */
function levels(bytes: Uint8Array, line: Line): number[] {
  const out: number[] = [];
  for (const byte of bytes) {
    const value = byte & (2 ** line.dataBits - 1);
    out.push(0);
    for (let i = 0; i < line.dataBits; i++) out.push((value >> i) & 1);
    if (line.parity !== "none") out.push(parityBit(line, value));
    for (let i = 0; i < line.stopBits; i++) out.push(1);
  }
  return out;
}

/**
 * What a UART set as `to` makes of characters that one set as `from` sends: it waits for the line
 * to fall, and looks at the middle of each bit by its own speed.
 */
export function heard(bytes: Uint8Array, from: Line, to: Line): Received[] {
  const sent = levels(bytes, from);
  const level = (seconds: number): number => sent[Math.floor(seconds * from.baud)] ?? 1;
  const bit = 1 / to.baud;
  const received: Received[] = [];
  for (let at = 0; at < sent.length / from.baud;) {
    if (level(at) === 1) {
      // To the next change, at the sender's next bit.
      at = (Math.floor(at * from.baud + 1e-6) + 1) / from.baud + 1e-9;
      continue;
    }
    let value = 0;
    for (let i = 0; i < to.dataBits; i++) value |= level(at + (1.5 + i) * bit) << i;
    let next = at + (1.5 + to.dataBits) * bit;
    let sound = true;
    if (to.parity !== "none") {
      sound = level(next) === parityBit(to, value);
      next += bit;
    }
    const stopped = level(next) === 1;
    received.push({ value, sound: sound && stopped });
    // Where no stop bit stands the line must rise before a next character can begin.
    at = next;
    while (!stopped && level(at) === 0) at += 1 / from.baud / 8;
  }
  return received;
}

/** What a device makes of the sound characters of a request; null = it is silent. */
export type Answers = (request: Uint8Array) => Uint8Array | null;

/**
 * A device behind a UART of its own, at the far end of a pty. Between the two stands the line as
 * it is when both sides are not set alike. How the side under test is set it tells itself, if it
 * runs with the environment that `toldLines` gives.
 */
export class UartDevice {
  readonly path: string;
  readonly #pty = openPty();
  readonly #device: Device;
  readonly #answers: Answers;
  readonly #asked: string;
  readonly #reader = Bun.file(this.#pty.master).stream().getReader();

  /** `env` is that of the programs under test. */
  constructor(env: Record<string, string>, device: Device, answers: Answers) {
    this.path = this.#pty.path;
    this.#device = device;
    this.#answers = answers;
    this.#asked = join(env["ASKED_LINES"]!, basename(this.path));
    void this.#serve();
  }

  close(): void {
    void this.#reader.cancel();
    this.#pty.close();
  }

  async #serve(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      const theirs = lineOf(Number(readFileSync(this.#asked, "utf8")));
      const request = heard(value, theirs, this.#device);
      // A frame with a character that is none is not one (Modbus over serial line 1.02, 2.5.1).
      if (this.#device.lenient !== true && request.some(({ sound }) => !sound)) continue;
      const answer = this.#answers(Uint8Array.from(request, (one) => one.value));
      if (answer === null) continue;
      // The system gives a program also characters with an error, unless it asks for the opposite.
      const out = Uint8Array.from(heard(answer, this.#device, theirs), (one) => one.value);
      this.#pty.write(out, out.length);
    }
  }
}

/** The environment of a program that is to tell, by files in the folder. */
export function toldLines(folder: string): Record<string, string> {
  const lines = join(folder, "lines");
  mkdirSync(lines, { recursive: true });
  return { ...preload("asked_line", folder), ASKED_LINES: lines };
}
