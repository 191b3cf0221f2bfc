import type { DriverTag, Request } from "../../driver.ts";
import { BAD, type Ring } from "../../ring.ts";
import { Field } from "./codec.ts";
import type { SharedLink } from "./settings.ts";
import { textOf } from "./notation.ts";
import { Telegram } from "./telegram.ts";

/** One telegram and the tags that are read from it. */
export class TelegramRequest implements Request {
  readonly station: number;
  readonly tags: readonly DriverTag[];
  readonly text: string;
  readonly unasked: boolean;
  readonly sends?: string;
  readonly telegram: Telegram;
  readonly #fields: readonly Field[];

  constructor(telegram: Telegram, fields: readonly Field[]) {
    this.telegram = telegram;
    this.station = fields[0]!.tag.station;
    this.tags = fields.map((field) => field.tag);
    this.text = telegram.name;
    this.unasked = telegram.send === null;
    if (telegram.send !== null) this.sends = textOf(telegram.send);
    this.#fields = fields;
  }

  /**
   * The telegram that was accepted last, into the cells of row `seq`; false = nothing of what is
   * looked for stands in it.
   */
  decode(ring: Ring, seq: number): boolean {
    const said = this.telegram.state();
    let isRead = false;
    for (let i = 0; i < this.#fields.length; i++) {
      const field = this.#fields[i]!;
      field.decodeCell(this.telegram, said, ring, seq);
      const { state } = ring.columns[field.tag.column]!;
      if (ring.arena.U[state + (seq & ring.mask)] !== BAD.garbled) isRead = true;
    }
    return isRead;
  }
}

export function telegramOf(name: string, link: SharedLink, station: number): Telegram {
  return new Telegram(name, link.telegrams[name]!, station);
}

/** One request for each telegram that has tags: each has all that it says. */
export function planReads(tags: readonly DriverTag[], link: SharedLink): TelegramRequest[] {
  const fields = new Map<string, Field[]>();
  for (const field of tags.map((tag) => new Field(tag))) {
    const { telegram } = field.address;
    const others = fields.get(telegram);
    if (others === undefined) fields.set(telegram, [field]);
    else others.push(field);
  }
  // Tags of one group are of one device, and so of one station.
  return [...fields].map(([name, own]) =>
    new TelegramRequest(telegramOf(name, link, own[0]!.tag.station), own));
}
