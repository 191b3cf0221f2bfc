import { Fault } from "../../base.ts";
import { bytesOf } from "./notation.ts";

/** A telegram that carries a value: `VOLT {value}`, `SP{value:2}<ETX>`. */
export interface Template {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  /** Decimals of the value; null = as many as it has. */
  readonly decimals: number | null;
}

export function parseTemplate(text: string): Template {
  const parts = text.split(/\{value(?::(\d))?\}/);
  if (parts.length !== 3) {
    throw new Fault("telegram-template", `\`${text}\`: the value stands in it once, as {value}, ` +
      "or {value:2} with two decimals; a telegram without one (tare, zero) is not written, as " +
      "nothing could be read back of it (W15)", { text });
  }
  const [before, decimals, after] = parts;
  return {
    before: bytesOf(before!), after: bytesOf(after!),
    decimals: decimals === undefined ? null : Number(decimals),
  };
}
