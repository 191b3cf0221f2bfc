import { isoTime, readTime, textOfBytes } from "../base.ts";

const encoder = new TextEncoder();

/** How times are written in the messages of a source. */
export interface TimeSettings {
  /** A pattern as of `format_time()`; left out: ISO 8601. */
  readonly timeFormat?: string | undefined;
  /** Of texts that name no zone. */
  readonly timeZone?: string | undefined;
}

/** Reads times in texts. Of ISO 8601 nothing is allocated. */
export class TimeText {
  readonly #pattern: string | null;
  readonly #zone: string;

  constructor({ timeFormat, timeZone }: TimeSettings) {
    this.#pattern = timeFormat ?? null;
    this.#zone = timeZone ?? "UTC";
  }

  /** ms since 1970, or NaN. */
  read(bytes: Uint8Array, from: number, to: number): number {
    if (this.#pattern === null) return isoTime(bytes, from, to, this.#zone);
    return readTime(textOfBytes(bytes.slice(from, to)), this.#pattern, this.#zone);
  }

  readText(text: string): number {
    if (this.#pattern !== null) return readTime(text, this.#pattern, this.#zone);
    const bytes = encoder.encode(text);
    return isoTime(bytes, 0, bytes.length, this.#zone);
  }
}
