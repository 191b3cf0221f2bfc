import { GOOD, BAD } from "../../ring.ts";
import { BYTE, CHARACTERS, FIELD, GROUP, parsePlace, WHOLE, type Place } from "./address.ts";
import { bytesOf } from "./notation.ts";
import { Pattern } from "./pattern.ts";
import type { TelegramSettings } from "./settings.ts";
import { withStation } from "./station.ts";
import { parseTemplate, type Template } from "./template.ts";
import { stateOfQuality } from "./words.ts";

const BLANK = 0x20;

/**
 * One telegram of a link, made ready to be looked for in received bytes. `accepts` looks at a
 * payload; `locate` then finds places in it. Nothing is allocated a telegram.
 */
export class Telegram {
  readonly name: string;
  /** Whose it is, of several machines on one line. */
  readonly station: number;
  /** What asks for it; null = the machine sends it unasked. */
  readonly send: Uint8Array | null;
  readonly write: Template | null;
  readonly acknowledge: Uint8Array | null;
  readonly acts: boolean;
  readonly match: Pattern | null;
  readonly example: Uint8Array | null;
  /** The payload that was accepted last. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Bounds of what `locate` found last. */
  from = 0;
  to = 0;
  readonly #separator: Uint8Array;
  readonly #quality: { readonly place: Place; readonly words: readonly Word[] } | null;
  #first = 0;
  #last = 0;

  constructor(name: string, settings: TelegramSettings, station: number) {
    const { send, write, acknowledge, match, separator, quality, example } = settings;
    const made = <T>(text: string | undefined, make: (text: string) => T): T | null =>
      (text === undefined ? null : make(withStation(text, station)));
    this.name = name;
    this.station = station;
    this.send = made(send, bytesOf);
    this.write = made(write, parseTemplate);
    this.acknowledge = made(acknowledge, bytesOf);
    this.acts = settings.acts;
    this.match = made(match, (text) => new Pattern(text));
    this.example = made(example, bytesOf);
    this.#separator = bytesOf(separator);
    this.#quality = quality === undefined ? null : {
      place: parsePlace(quality.at),
      words: Object.entries(quality.states).map(([text, said]) =>
        ({ bytes: bytesOf(text), state: stateOfQuality(said) })),
    };
  }

  /** True if this payload is such a telegram; then its places can be located. */
  accepts(bytes: Uint8Array, from: number, to: number): boolean {
    this.bytes = bytes;
    this.#first = from;
    this.#last = to;
    return this.match === null || this.match.match(bytes, from, to);
  }

  /**
   * The state that the machine's own word gives its values. A word that nobody named is bad, and
   * where nothing else says that this is the telegram, no sign that it is.
   */
  state(): number {
    if (this.#quality === null) return GOOD;
    if (this.locate(this.#quality.place)) {
      for (const { bytes, state } of this.#quality.words) if (this.#is(bytes)) return state;
    }
    return this.match === null ? BAD.garbled : BAD.source;
  }

  /** True if this is where the machine says how good its values are. */
  isQuality({ kind, from, to }: Place): boolean {
    const place = this.#quality?.place;
    return place?.kind === kind && place.from === from && place.to === to;
  }

  /** Sets `from` and `to` to where the place is in the payload; false = it is not there. */
  locate(place: Place): boolean {
    switch (place.kind) {
      case WHOLE: return this.#at(this.#first, this.#last);
      case FIELD: return this.#locateField(place.from);
      case GROUP: {
        const found = this.match!.found;
        return found[2 * place.from]! >= 0 &&
          this.#at(found[2 * place.from]!, found[2 * place.from + 1]!);
      }
      case CHARACTERS: {
        const from = this.#first + place.from - 1;
        return from < this.#last &&
          this.#at(from, Math.min(this.#last, this.#first + place.to));
      }
      case BYTE: return this.#at(this.#first + place.from - 1, this.#last);
      default: return false;
    }
  }

  #at(from: number, to: number): boolean {
    this.from = from;
    this.to = to;
    return from <= to;
  }

  /** The n-th of the fields between separators; blanks next to each other are one separator. */
  #locateField(n: number): boolean {
    const width = this.#separator.length;
    const isBlank = width === 1 && this.#separator[0] === BLANK;
    let at = isBlank ? this.#skipBlanks(this.#first) : this.#first;
    for (let field = 1; ; field++) {
      const end = this.#fieldEnd(at);
      if (field === n) return !(isBlank && at === this.#last) && this.#at(at, end);
      if (end === this.#last) return false;
      at = isBlank ? this.#skipBlanks(end) : end + width;
    }
  }

  #skipBlanks(at: number): number {
    while (at < this.#last && this.bytes[at] === BLANK) at++;
    return at;
  }

  #fieldEnd(at: number): number {
    const width = this.#separator.length;
    for (let end = at; end + width <= this.#last; end++) {
      let i = 0;
      while (i < width && this.bytes[end + i] === this.#separator[i]) i++;
      if (i === width) return end;
    }
    return this.#last;
  }

  #is(bytes: Uint8Array): boolean {
    if (this.to - this.from !== bytes.length) return false;
    for (let i = 0; i < bytes.length; i++) {
      if (this.bytes[this.from + i] !== bytes[i]) return false;
    }
    return true;
  }
}

interface Word {
  readonly bytes: Uint8Array;
  readonly state: number;
}

export function beginsWith(what: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < what.length) return false;
  for (let i = 0; i < what.length; i++) if (bytes[from + i] !== what[i]) return false;
  return true;
}
