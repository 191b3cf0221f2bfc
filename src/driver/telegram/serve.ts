import { limits, textOfBytes } from "../../base.ts";
import type { DriverTag, ServeEvents, ServeHost, Server } from "../../driver.ts";
import { CHARACTERS } from "./address.ts";
import { Field } from "./codec.ts";
import { DAMAGED, Framing, NOTHING } from "./framing.ts";
import { readNumber } from "./number.ts";
import { telegramOf } from "./plan.ts";
import type { FrameSettings, SharedLink } from "./settings.ts";
import type { Telegram } from "./telegram.ts";
import type { Template } from "./template.ts";

/** A telegram that has tags, and where their values go in its example. */
interface Served {
  readonly telegram: Telegram;
  readonly fields: readonly Field[];
}

/** A piece of an answer in the place of one of the example's. */
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

const encoder = new TextEncoder();

/** Answers each question with its telegram's example, into which the tags' values are put. */
class TelegramServer implements Server {
  readonly #host: ServeHost;
  readonly #framing: Framing;
  readonly #out = new Uint8Array(2 * limits.telegram_bytes_max);
  readonly #served: readonly Served[];

  constructor(tags: readonly DriverTag[], link: SharedLink, host: ServeHost) {
    this.#host = host;
    this.#framing = new Framing(questions(link.frame), link.timeout);
    const fields = tags.map((tag) => new Field(tag));
    const served = Map.groupBy(fields, ({ tag, address }) => `${tag.station} ${address.telegram}`);
    this.#served = [...served.values()].map((own) => ({
      telegram: telegramOf(own[0]!.address.telegram, link, own[0]!.tag.station), fields: own,
    }));
  }

  receive(bytes: Uint8Array, n: number, now: number, on: ServeEvents): void {
    for (let at = 0; at < n;) {
      at = this.#framing.push(bytes, at, n, now);
      for (let found = this.#framing.take(); found !== NOTHING; found = this.#framing.take()) {
        this.#came(found, on);
      }
    }
  }

  step(now: number, on: ServeEvents): number {
    if (now < this.#framing.due()) return this.#framing.due();
    const found = this.#framing.fallSilent();
    if (found !== NOTHING) this.#came(found, on);
    return Infinity;
  }

  #came(found: number, on: ServeEvents): void {
    const { input, from, to, whole } = this.#framing;
    const isSound = found !== DAMAGED;
    on.frame(input, whole, isSound);
    if (!isSound) return;
    this.#framing.hideLength();
    for (const served of this.#served) {
      const answer = this.#answer(served, input.subarray(from, to));
      if (answer === null) continue;
      const at = this.#framing.payloadAt;
      this.#out.set(answer, at);
      on.reply(this.#out, this.#framing.seal(this.#out, at + answer.length));
      return;
    }
  }

  /** What the machine says to this question or write; null = nothing, or another telegram does. */
  #answer({ telegram, fields }: Served, payload: Uint8Array): Uint8Array | null {
    const { send, write, example, acknowledge } = telegram;
    if (send !== null && same(payload, send)) return example && this.#filled(telegram, fields);
    const value = write === null ? null : between(payload, write);
    const field = fields.find(({ tag }) => tag.writable);
    if (value === null || field === undefined) return null;
    if (field.isText) {
      return this.#host.written(field.tag, textOfBytes(value)) ? acknowledge : null;
    }
    const raw = field.isBinary ? field.binary(value, 0) : readNumber(value, 0, value.length);
    const isDone = raw === raw && this.#host.written(field.tag, field.scaling.exact(raw));
    return isDone ? acknowledge : null;
  }

  #filled(telegram: Telegram, fields: readonly Field[]): Uint8Array | null {
    const example = telegram.example!;
    const pieces: Piece[] = [];
    for (const field of fields) {
      const value = this.#host.value(field.tag);
      if (value === null) return null;
      // Nobody said what it shows: the example's own text.
      if (value === "") continue;
      telegram.accepts(example, 0, example.length);
      if (!telegram.locate(field.address.place)) continue;
      const { from, to } = telegram;
      pieces.push(field.isText ? { from, to, bytes: encoder.encode(String(value)) }
        : this.#piece(field, telegram, Number(value)));
    }
    return spliced(example, pieces.sort((a, b) => a.from - b.from));
  }

  /** A number is as wide as the example's at least, with the blanks before it that it has there. */
  #piece(field: Field, { bytes: example, from, to }: Telegram, value: number): Piece {
    const bytes = new Uint8Array(64);
    const decimals = decimalsOf(example.subarray(from, to));
    const n = field.putValue(field.scaling.raw(value), decimals, bytes, 0);
    if (field.isBinary) return { from, to: from + n, bytes: bytes.subarray(0, n) };
    const text = String.fromCharCode(...bytes.subarray(0, n)).padStart(to - from);
    const isFixed = field.address.place.kind === CHARACTERS;
    return { from, to, bytes: encoder.encode(isFixed ? text.slice(0, to - from) : text) };
  }
}

/** Questions have no fixed length, so they end by silence where answers end by their length. */
function questions(frame: FrameSettings): FrameSettings {
  if (frame.bytes === undefined) return frame;
  const { bytes: _, ...rest } = frame;
  return { ...rest, silence: 5 };
}

/** Digits after the point, as the example has them; null = it has none. */
function decimalsOf(number: Uint8Array): number | null {
  const digits = /\.(\d+)$/.exec(String.fromCharCode(...number));
  return digits === null ? null : digits[1]!.length;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** What stands between the two ends of a write. */
function between(
  payload: Uint8Array, { before, after }: Template,
): Uint8Array | null {
  const to = payload.length - after.length;
  const fits = to >= before.length && same(payload.subarray(0, before.length), before) &&
    same(payload.subarray(to), after);
  return fits ? payload.subarray(before.length, to) : null;
}

function spliced(example: Uint8Array, pieces: readonly Piece[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { from, to, bytes } of pieces) {
    if (from < at) continue;
    parts.push(example.subarray(at, from), bytes);
    at = to;
  }
  return Buffer.concat([...parts, example.subarray(at)]);
}

export function createServer(
  tags: readonly DriverTag[], link: SharedLink, host: ServeHost,
): Server {
  return new TelegramServer(tags, link, host);
}
