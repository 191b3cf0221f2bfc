import { remember } from "../../base.ts";
import type { Dyn } from "../../ring.ts";
import { equal, isFields, isList, isNumeric } from "./values.ts";

/**
 * A path into a value:
 *
 *     path    = "$" step*
 *     step    = "." name | ".." name | ".*" | "[" "*" "]" | "[" number "]" | "[" text "]"
 *             | "[" "?" or "]"
 *     or      = and ("||" and)*          and = not ("&&" not)*
 *     not     = "!" not | "(" or ")" | value (("==" | "!=" | "<" | "<=" | ">" | ">=") value)?
 *     value   = "@" step* | number | text | "true" | "false" | "null"
 */
export interface Path {
  find(root: Dyn): Dyn[];
  /** It may find more than one. */
  readonly many: boolean;
}

type Step = (of: Dyn) => readonly Dyn[];
type Test = (of: Dyn) => boolean;

/** Longest path and deepest parentheses that are read. */
const path_characters_max = 1024, nesting_max = 32;

const inside = (of: Dyn): readonly Dyn[] =>
  (isList(of) ? of : isFields(of) ? [...of.values()] : []);

const field = (name: string): Step => (of) => {
  const value = isFields(of) ? of.get(name) : undefined;
  return value === undefined ? [] : [value];
};

const descend = (name: string): Step => (of) =>
  [...field(name)(of), ...inside(of).flatMap(descend(name))];

const at = (place: number): Step => (of) => {
  const value = isList(of) ? of.at(place) : undefined;
  return value === undefined ? [] : [value];
};

const filter = (test: Test): Step => (of) => inside(of).filter(test);

const run = (steps: readonly Step[], root: Dyn): Dyn[] =>
  steps.reduce((found: Dyn[], step) => found.flatMap(step), [root]);

function compared(op: string, a: Dyn | undefined, b: Dyn | undefined): boolean {
  if (a === undefined || b === undefined) return op === "!=" && a !== b;
  if (op === "==") return equal(a, b);
  if (op === "!=") return !equal(a, b);
  const texts = typeof a === "string" && typeof b === "string";
  if (!texts && !(isNumeric(a) && isNumeric(b))) return false;
  switch (op) {
    case "<": return a! < b!;
    case "<=": return a! <= b!;
    case ">": return a! > b!;
    default: return a! >= b!;
  }
}

class Wrong extends Error {}

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  many = false;

  constructor(text: string) {
    this.#text = text;
  }

  path(): Step[] {
    this.#expect("$");
    const steps = this.#steps();
    if (this.#at !== this.#text.length) throw this.#wrong();
    return steps;
  }

  #steps(): Step[] {
    const steps: Step[] = [];
    for (;;) {
      if (this.#take("..")) {
        this.many = true;
        steps.push(descend(this.#name()));
      } else if (this.#take(".*")) {
        this.many = true;
        steps.push(inside);
      } else if (this.#take(".")) steps.push(field(this.#name()));
      else if (this.#take("[")) steps.push(this.#bracket());
      else return steps;
    }
  }

  #bracket(): Step {
    this.#blank();
    let step: Step;
    const number = this.#match(/-?\d{1,9}/y);
    if (number !== null) step = at(Number(number));
    else if (this.#take("*")) {
      this.many = true;
      step = inside;
    } else if (this.#take("?")) {
      this.many = true;
      step = filter(this.#or());
    } else step = field(this.#quoted());
    this.#blank();
    this.#expect("]");
    return step;
  }

  #or(): Test {
    let left = this.#and();
    while (this.#blank(), this.#take("||")) {
      const [a, b] = [left, this.#and()];
      left = (of) => a(of) || b(of);
    }
    return left;
  }

  #and(): Test {
    let left = this.#not();
    while (this.#blank(), this.#take("&&")) {
      const [a, b] = [left, this.#not()];
      left = (of) => a(of) && b(of);
    }
    return left;
  }

  #not(): Test {
    if (++this.#depth > nesting_max) throw this.#wrong();
    try {
      this.#blank();
      if (this.#take("!")) {
        const inner = this.#not();
        return (of) => !inner(of);
      }
      if (!this.#take("(")) return this.#comparison();
      const inner = this.#or();
      this.#blank();
      this.#expect(")");
      return inner;
    } finally {
      this.#depth--;
    }
  }

  #comparison(): Test {
    const left = this.#value();
    this.#blank();
    const op = this.#match(/==|!=|<=|>=|<|>/y);
    if (op === null) return (of) => left(of) !== undefined;
    const right = this.#value();
    return (of) => compared(op, left(of), right(of));
  }

  #value(): (of: Dyn) => Dyn | undefined {
    this.#blank();
    if (this.#take("@")) {
      const many = this.many;
      const steps = this.#steps();
      this.many = many;
      return (of) => run(steps, of)[0];
    }
    const number = this.#match(/-?\d+(\.\d+)?([eE][+-]?\d+)?/y);
    if (number !== null) return () => Number(number);
    const word = this.#match(/true|false|null/y);
    if (word !== null) return () => (word === "null" ? null : word === "true");
    const text = this.#quoted();
    return () => text;
  }

  #quoted(): string {
    const text = this.#match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/y);
    if (text === null) throw this.#wrong();
    return text.slice(1, -1).replaceAll(/\\(.)/g, "$1");
  }

  #name(): string {
    const name = this.#match(/[\p{L}\p{N}_$-]+/uy);
    if (name === null) throw this.#wrong();
    return name;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return null;
    this.#at += found[0].length;
    return found[0];
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#wrong();
  }

  #blank(): void {
    while (this.#text[this.#at] === " ") this.#at++;
  }

  #wrong(): Wrong {
    return new Wrong(`This is no JSON path: it cannot go on at character ${this.#at + 1}; ` +
      "one is like '$.a[0].b' or '$.a[? @.b > 1]'");
  }
}

/** A path, or what is wrong with it. */
export const pathOf = remember((text): Path | string => {
  if (text.length > path_characters_max) {
    return `A JSON path has at most ${path_characters_max} characters`;
  }
  const reader = new Reader(text);
  try {
    const steps = reader.path();
    return { find: (root) => run(steps, root), many: reader.many };
  } catch (thrown) {
    if (!(thrown instanceof Wrong)) throw thrown;
    return thrown.message;
  }
});
