import { SqlFault, type Span } from "./fault.ts";

export type TokenKind = "word" | "quoted" | "string" | "bigint" | "float" | "duration" | "mark"
  | "end";

export interface Token extends Span {
  readonly kind: TokenKind;
  /** Words as written, quoted names and strings without quotes, marks as they are. */
  readonly text: string;
  /** Words in upper case, else empty: keywords do not know case. */
  readonly upper: string;
}

const marks = ["->", "<>", "!=", "<=", ">=", "(", ")", "[", "]", ",", ";", ":", ".", "*", "+", "-",
  "/",
  "%", "&", "|", "^", "=", "<", ">"];

/** Marks of other languages, and what they are here. */
const foreign: Readonly<Record<string, string>> = {
  "==": "Equality is one `=`", "=>": "`=>` is written >=", "=<": "`=<` is written <=",
  "&&": "`&&` is written AND",
  "||": "`||` is written OR; texts are joined by concat(a, b)", "!": "`!` is written NOT",
  "{": "An object is object_construct('name', value)",
};

const escapes: Readonly<Record<string, string>> = {
  a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v",
  "\\": "\\", "'": "'", '"': '"',
};

/** Reads tokens on demand: after FROM and JOIN the same characters make a name. */
export class Lexer {
  readonly sql: string;
  at: number;

  constructor(sql: string, from = 0) {
    this.sql = sql;
    this.at = from;
  }

  next(): Token {
    this.#skip();
    const from = this.at;
    const character = this.sql[from];
    if (character === undefined) return this.#token("end", from, "");
    if (character === '"' || character === "'") return this.#string(character);
    if (character === "`") return this.#quoted();
    if (/[0-9]/.test(character) || (character === "." && /[0-9]/.test(this.sql[from + 1] ?? ""))) {
      return this.#number();
    }
    const word = /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/y;
    word.lastIndex = from;
    const match = word.exec(this.sql);
    if (match !== null) {
      this.at = word.lastIndex;
      return this.#token("word", from, match[0]);
    }
    const other = Object.keys(foreign).find((m) => this.sql.startsWith(m, from));
    if (other !== undefined && !this.sql.startsWith("!=", from)) {
      throw this.#fault(foreign[other]!, from, from + other.length);
    }
    const mark = marks.find((m) => this.sql.startsWith(m, from));
    if (mark === undefined) {
      throw this.#fault(`\`${character}\` has no meaning here`, from, from + 1);
    }
    this.at += mark.length;
    return this.#token("mark", from, mark);
  }

  /**
   * The name of a source at `from`: `press.fast`, `m-*.slow`, `topic/+/x`. It ends at a blank, a
   * comma, a bracket, or a comment.
   */
  sourceName(from: number): Token {
    this.at = from;
    this.#skip();
    const start = this.at;
    if (this.sql[start] === "`") return this.#quoted();
    const name = /(?:(?!\/\*|--)[\w.*/#+$\u0080-\uffff-])+/y;
    name.lastIndex = start;
    const match = name.exec(this.sql);
    if (match === null) return this.next();
    this.at = name.lastIndex;
    return this.#token("word", start, match[0]);
  }

  #skip(): void {
    const blank = /(?:\s+|--[^\n]*|\/\*[\s\S]*?\*\/)*/y;
    blank.lastIndex = this.at;
    blank.exec(this.sql);
    this.at = blank.lastIndex;
    if (this.sql.startsWith("/*", this.at)) {
      throw this.#fault("This comment has no end", this.at, this.at + 2);
    }
  }

  #number(): Token {
    const from = this.at;
    number.lastIndex = from;
    const text = number.exec(this.sql)![0];
    this.at = number.lastIndex;
    if (/[\w$]/.test(this.sql[this.at] ?? "")) {
      throw this.#fault("A number ends before a letter", from, this.at + 1);
    }
    const hex = /^0[xX]/.test(text);
    const kind = !hex && /[a-z]$/.test(text) ? "duration"
      : hex || /^\d+$/.test(text) ? "bigint" : "float";
    return this.#token(kind, from, text);
  }

  #string(quote: string): Token {
    const from = this.at++;
    let text = "";
    for (;;) {
      const character = this.sql[this.at++];
      if (character === undefined || character === "\n") {
        throw this.#fault(`This text has no closing ${quote}`, from, from + 1);
      }
      if (character === quote && this.sql[this.at] !== quote) {
        return this.#token("string", from, text);
      }
      // Standard SQL writes a quote twice.
      if (character === quote) this.at += 1;
      text += character === "\\" ? this.#escape() : character;
    }
  }

  /** After a backslash: the escapes of Go, which eKuiper has. */
  #escape(): string {
    const at = this.at - 1;
    const coded = /x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-7]{3})/y;
    coded.lastIndex = this.at;
    const match = coded.exec(this.sql);
    if (match !== null) {
      this.at = coded.lastIndex;
      const code = match[4] === undefined ? parseInt(match[1] ?? match[2] ?? match[3]!, 16)
        : parseInt(match[4], 8);
      if (code <= 0x10ffff) return String.fromCodePoint(code);
    }
    const plain = escapes[this.sql[this.at] ?? ""];
    if (plain === undefined || match !== null) {
      throw this.#fault("No such escape in a text; a backslash is `\\\\`", at, at + 2);
    }
    this.at += 1;
    return plain;
  }

  #quoted(): Token {
    const from = this.at;
    const end = this.sql.indexOf("`", from + 1);
    if (end < 0) throw this.#fault("This name has no closing back-quote", from, from + 1);
    this.at = end + 1;
    return this.#token("quoted", from, this.sql.slice(from + 1, end));
  }

  #token(kind: TokenKind, from: number, text: string): Token {
    return { kind, text, from, to: this.at, upper: kind === "word" ? text.toUpperCase() : "" };
  }

  #fault(sentence: string, from: number, to: number): SqlFault {
    return new SqlFault("syntax", sentence, this.sql, { from, to });
  }
}

/** Hexadecimal, a duration such as 1h30m, or a decimal number; sought where `lastIndex` stands. */
const number = new RegExp("0[xX][0-9A-Fa-f]+|(?:\\d+(?:us|ms|min|s|m|h|d))+(?![\\w.])" +
  "|(?:\\d+\\.\\d*|\\.\\d+|\\d+)(?:[eE][+-]?\\d+)?", "y");
