import { Fault } from "../../base.ts";

/**
 * Regular expressions over bytes whose time is bounded: all alternatives are followed at once, byte
 * by byte (Thompson, with the groups of each thread), so that no text makes one slow. At most
 * `steps_max` instructions times the bytes of a telegram; nothing is allocated a match.
 */
const steps_max = 256;
const groups_max = 16;

// Instructions. `x` and `y` say what they take.
const SET = 0; // x: class
const SPLIT = 1; // x: first choice, y: second
const JUMP = 2; // x: where to
const SAVE = 3; // x: slot
const BEGIN = 4, END = 5, MATCH = 6;

/** Which bytes: 1 at each that belongs. */
type ByteClass = Uint8Array;

interface Code {
  readonly op: number;
  x: number;
  y: number;
}

export class Pattern {
  readonly text: string;
  /** Groups without the whole match. */
  readonly groups: number;
  /** Bounds of group i after a match: `[2i]` to `[2i + 1]`; −1 = it took no part. 0 is all. */
  readonly found: Int32Array;
  readonly #code: readonly Code[];
  readonly #classes: readonly ByteClass[];
  readonly #slots: number;
  #now: Threads;
  #next: Threads;
  readonly #trail: Int32Array;
  #first = 0;
  #last = 0;

  constructor(text: string) {
    this.text = text;
    const parser = new Parser(text);
    this.#code = parser.compile();
    this.#classes = parser.classes;
    this.groups = parser.groups;
    this.#slots = 2 * (this.groups + 1);
    this.found = new Int32Array(this.#slots);
    this.#now = new Threads(this.#code.length, this.#slots);
    this.#next = new Threads(this.#code.length, this.#slots);
    this.#trail = new Int32Array(this.#slots);
  }

  /** Finds the first match in `bytes[from…to)`. */
  match(bytes: Uint8Array, from: number, to: number): boolean {
    this.#first = from;
    this.#last = to;
    this.#now.clear();
    let matched = false;
    for (let at = from; at <= to; at++) {
      if (!matched) {
        this.#trail.fill(-1);
        this.#follow(this.#now, 0, at);
      }
      if (this.#now.count === 0 && matched) break;
      this.#next.clear();
      const byte = at < to ? bytes[at]! : -1;
      if (this.#step(byte, at)) matched = true;
      const done = this.#now;
      this.#now = this.#next;
      this.#next = done;
    }
    return matched;
  }

  /** All threads take one byte, the most wanted first. True if one of them was at its end. */
  #step(byte: number, at: number): boolean {
    const { count, places, saved } = this.#now;
    for (let i = 0; i < count; i++) {
      const place = places[i]!;
      const code = this.#code[place]!;
      const own = place * this.#slots;
      if (code.op === MATCH) {
        for (let s = 0; s < this.#slots; s++) this.found[s] = saved[own + s]!;
        return true;
      }
      if (byte < 0 || this.#classes[code.x]![byte] === 0) continue;
      for (let s = 0; s < this.#slots; s++) this.#trail[s] = saved[own + s]!;
      this.#follow(this.#next, place + 1, at + 1);
    }
    return false;
  }

  /** Adds the threads that stand at `place` before byte `at`, with what `#trail` has saved. */
  #follow(threads: Threads, place: number, at: number): void {
    if (!threads.visit(place)) return;
    const code = this.#code[place]!;
    switch (code.op) {
      case JUMP: this.#follow(threads, code.x, at); break;
      case SPLIT:
        this.#follow(threads, code.x, at);
        this.#follow(threads, code.y, at);
        break;
      case SAVE: {
        const before = this.#trail[code.x]!;
        this.#trail[code.x] = at;
        this.#follow(threads, place + 1, at);
        this.#trail[code.x] = before;
        break;
      }
      case BEGIN: if (at === this.#first) this.#follow(threads, place + 1, at); break;
      case END: if (at === this.#last) this.#follow(threads, place + 1, at); break;
      default: threads.add(place, this.#trail);
    }
  }
}

/** Places of the code where a match may go on, each once, the most wanted first. */
class Threads {
  readonly places: Int32Array;
  /** By place: what its thread saved. */
  readonly saved: Int32Array;
  readonly #slots: number;
  readonly #visited: Int32Array;
  #visit = 0;
  count = 0;

  constructor(places: number, slots: number) {
    this.places = new Int32Array(places);
    this.saved = new Int32Array(places * slots);
    this.#visited = new Int32Array(places);
    this.#slots = slots;
  }

  clear(): void {
    this.count = 0;
    this.#visit = (this.#visit + 1) | 0;
    if (this.#visit !== 0) return;
    this.#visited.fill(0);
    this.#visit = 1;
  }

  /** False = it was there already, more wanted. */
  visit(place: number): boolean {
    if (this.#visited[place] === this.#visit) return false;
    this.#visited[place] = this.#visit;
    return true;
  }

  add(place: number, trail: Int32Array): void {
    this.places[this.count++] = place;
    const own = place * this.#slots;
    for (let s = 0; s < this.#slots; s++) this.saved[own + s] = trail[s]!;
  }
}

const classOf = (belongs: (byte: number) => boolean): ByteClass =>
  Uint8Array.from({ length: 256 }, (_, byte) => (belongs(byte) ? 1 : 0));
const not = (bytes: ByteClass): ByteClass => bytes.map((one) => 1 - one);
const digit = classOf((byte) => byte >= 0x30 && byte <= 0x39);
const space = classOf((byte) => byte === 0x20 || (byte >= 9 && byte <= 13));
const word = classOf((byte) => /\w/.test(String.fromCharCode(byte)));
const any = classOf(() => true);
const named: Readonly<Record<string, ByteClass>> = {
  d: digit, D: not(digit), s: space, S: not(space), w: word, W: not(word),
};
const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };

/** Alternatives, then sequences, then repeats, then single bytes and groups. */
class Parser {
  readonly #text: string;
  readonly classes: ByteClass[] = [];
  groups = 0;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  compile(): Code[] {
    const body = this.#alternatives();
    if (this.#at < this.#text.length) throw this.#wrong("`)` without its `(`");
    return this.#bounded([code(SAVE, 0), ...moved(body, 1), code(SAVE, 1), code(MATCH)]);
  }

  #wrong(sentence: string): Fault {
    return new Fault("telegram-pattern", `\`${this.#text}\`: ${sentence}`, { text: this.#text });
  }

  #bounded(body: Code[]): Code[] {
    if (body.length <= steps_max) return body;
    throw this.#wrong(`longer than ${steps_max} steps; repeats such as {100} count as written out`);
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #alternatives(): Code[] {
    let body = this.#sequence();
    while (this.#take("|")) {
      const other = this.#sequence();
      body = this.#bounded([code(SPLIT, 1, body.length + 2), ...moved(body, 1),
        code(JUMP, body.length + 2 + other.length), ...moved(other, body.length + 2)]);
    }
    return body;
  }

  #sequence(): Code[] {
    let body: Code[] = [];
    while (this.#at < this.#text.length && this.#peek() !== "|" && this.#peek() !== ")") {
      body = this.#bounded([...body, ...moved(this.#repeat(), body.length)]);
    }
    return body;
  }

  #repeat(): Code[] {
    const one = this.#single();
    const [least, most] = this.#count();
    if (least === 1 && most === 1) return one;
    const isLazy = this.#take("?");
    if (/[*+?{]/.test(this.#peek())) throw this.#wrong("one repeat after the other");
    return this.#repeated(one, least, most, isLazy);
  }

  /** How often: `*`, `+`, `?`, `{2}`, `{2,}`, `{2,5}`. */
  #count(): readonly [number, number] {
    if (this.#take("*")) return [0, Infinity];
    if (this.#take("+")) return [1, Infinity];
    if (this.#take("?")) return [0, 1];
    if (this.#peek() !== "{") return [1, 1];
    const found = /^\{(\d+)(?:(,)(\d+)?)?\}/.exec(this.#text.slice(this.#at));
    if (found === null) throw this.#wrong("`{` counts, as in {2} or {2,5}; itself it is \\{");
    this.#at += found[0].length;
    const least = Number(found[1]);
    const most = found[3] !== undefined ? Number(found[3]) : found[2] === "," ? Infinity : least;
    if (most < least || least > steps_max) throw this.#wrong(`${found[0]} is no count`);
    return [least, most];
  }

  #repeated(one: Code[], least: number, most: number, isLazy: boolean): Code[] {
    let body: Code[] = [];
    const append = (more: Code[]): void => {
      body = this.#bounded([...body, ...moved(more, body.length)]);
    };
    const choice = (into: number, past: number): Code =>
      isLazy ? code(SPLIT, past, into) : code(SPLIT, into, past);
    for (let n = 0; n < least; n++) append(one);
    if (most === Infinity) {
      append([choice(1, one.length + 2), ...moved(one, 1), code(JUMP, 0)]);
    } else {
      for (let n = least; n < most; n++) append([choice(1, one.length + 1), ...moved(one, 1)]);
    }
    return body;
  }

  #single(): Code[] {
    if (this.#take("(")) return this.#group();
    if (this.#take("[")) return [this.#class(this.#set())];
    if (this.#take(".")) return [this.#class(any)];
    if (this.#take("^")) return [code(BEGIN)];
    if (this.#take("$")) return [code(END)];
    if (/[*+?{]/.test(this.#peek())) throw this.#wrong(`\`${this.#peek()}\` repeats nothing`);
    const bytes = this.#byteOrClass();
    return [this.#class(typeof bytes === "number" ? classOf((byte) => byte === bytes) : bytes)];
  }

  #group(): Code[] {
    if (this.#take("?:")) return this.#closed(this.#alternatives());
    if (this.#peek() === "?") throw this.#wrong("of `(?` only `(?:` is known here");
    this.groups += 1;
    if (this.groups > groups_max) throw this.#wrong(`more than ${groups_max} groups`);
    const slot = 2 * this.groups;
    const body = this.#closed(this.#alternatives());
    return [code(SAVE, slot), ...moved(body, 1), code(SAVE, slot + 1)];
  }

  #closed(body: Code[]): Code[] {
    if (!this.#take(")")) throw this.#wrong("`(` without its `)`");
    return body;
  }

  #class(bytes: ByteClass): Code {
    return code(SET, this.classes.push(bytes) - 1);
  }

  /** What stands between `[` and `]`. */
  #set(): ByteClass {
    const isNegated = this.#take("^");
    const bytes = new Uint8Array(256);
    for (let first = true; first || !this.#take("]"); first = false) {
      if (this.#at >= this.#text.length) throw this.#wrong("`[` without its `]`");
      const from = this.#byteOrClass();
      if (typeof from !== "number") from.forEach((one, byte) => (bytes[byte]! |= one));
      else bytes.fill(1, from, this.#rangeEnd(from) + 1);
    }
    return isNegated ? not(bytes) : bytes;
  }

  #rangeEnd(from: number): number {
    if (this.#peek() !== "-" || this.#text[this.#at + 1] === "]") return from;
    this.#at += 1;
    const to = this.#byteOrClass();
    if (typeof to === "number" && to >= from) return to;
    throw this.#wrong("a range in [ ] goes from the lower character to the higher one");
  }

  #byteOrClass(): number | ByteClass {
    const character = this.#text[this.#at++] ?? "";
    if (character !== "\\") return this.#byte(character);
    const escaped = this.#text[this.#at++] ?? "";
    if (Object.hasOwn(named, escaped)) return named[escaped]!;
    if (Object.hasOwn(controls, escaped)) return controls[escaped]!;
    if (escaped === "x") {
      const digits = this.#text.slice(this.#at, (this.#at += 2));
      if (/^[0-9A-Fa-f]{2}$/.test(digits)) return parseInt(digits, 16);
      throw this.#wrong("\\x takes two hexadecimal digits");
    }
    if (/[A-Za-z1-9]/.test(escaped) || escaped === "") {
      throw this.#wrong(`\\${escaped} is not known here; known are \\d \\D \\s \\S \\w \\W, ` +
        "\\xHH, \\t \\n \\r, and \\ before a sign");
    }
    return this.#byte(escaped);
  }

  #byte(character: string): number {
    const byte = character.charCodeAt(0);
    if (byte <= 0x7f) return byte;
    throw this.#wrong(`\`${character}\` is no ASCII character; write its byte, such as \\xB0`);
  }
}

const code = (op: number, x = 0, y = 0): Code => ({ op, x, y });

/** The same code `by` places further on. */
function moved(body: readonly Code[], by: number): Code[] {
  return body.map(({ op, x, y }) => {
    if (op === SPLIT) return code(op, x + by, y + by);
    return op === JUMP ? code(op, x + by) : code(op, x, y);
  });
}
