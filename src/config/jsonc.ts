import {
  createScanner, findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode, type Node,
  type ParseError,
} from "jsonc-parser";
import { limits, parseJson } from "../base.ts";
import { pathText, shorten, type Path, type Place, type Spot } from "./problem.ts";
import type { Problem } from "./model.ts";

/** What the parser missed, as a person would say it. */
const expectations: Readonly<Record<string, string>> = {
  InvalidSymbol: "this is no JSON value: text stands in double quotes, the rest is a number, " +
    "true, false, null, {…} or […]",
  InvalidNumberFormat: "this is no JSON number: digits with a point, such as 0.5 or -3",
  PropertyNameExpected: "expected a name in double quotes",
  ValueExpected: "expected a value",
  ColonExpected: "expected a colon between the name and its value",
  CommaExpected: "expected a comma before this",
  CloseBraceExpected: "expected a closing brace }",
  CloseBracketExpected: "expected a closing bracket ]",
  EndOfFileExpected: "expected the end of the file: the outermost brace is already closed",
  UnexpectedEndOfComment: "a comment is not closed: expected */",
  UnexpectedEndOfString: "expected a closing double quote on this line",
  UnexpectedEndOfNumber: "a number breaks off: expected a digit",
  InvalidUnicode: "expected four hexadecimal digits after \\u",
  InvalidEscapeCharacter: "unknown escape: a backslash in text is written as \\\\",
  InvalidCharacter: "a control character stands in the text: a tab is \\t, a new line is \\n",
};

/** Line of the first value that lies deeper than a parser may follow; null = none does. */
export function tooDeep(text: string): number | null {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (;;) {
    scanner.scan();
    const first = text[scanner.getTokenOffset()];
    if (first === undefined) return null;
    if (first === "{" || first === "[") depth += 1;
    if (first === "}" || first === "]") depth -= 1;
    if (depth > limits.nesting_max) return scanner.getTokenStartLine() + 1;
  }
}

/** A JSON text with comments, and where each of its values stands. */
export class JsonText implements Place {
  readonly file: string | null;
  readonly text: string;
  /** Undefined when the text has a syntax problem. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  readonly #root: Node | undefined;
  readonly #base: Path;

  /** `file` is null for the configuration itself; `base` is put before each path that is shown. */
  constructor(text: string, file: string | null, part?: { root: Node | undefined; base: Path }) {
    this.file = file;
    this.text = text;
    this.#base = part?.base ?? [];
    const errors: ParseError[] = [];
    this.#root = part ? part.root : parseTree(text, errors, { allowTrailingComma: true });
    this.problems = [...this.#syntax(errors), ...this.#twice()];
    this.value = this.problems.length > 0 || !this.#root ? undefined : getNodeValue(this.#root);
  }

  /** One value of this text as a text of its own; `base` is what its paths begin with. */
  part(path: Path): JsonText {
    const root = this.#root && findNodeAtLocation(this.#root, [...path]);
    return new JsonText(this.text, this.file, { root, base: [...this.#base, ...path] });
  }

  /** The value, whole numbers past 2^53 with all their digits: as bigint. */
  exact(): unknown {
    return this.#root && this.#exact(this.#root);
  }

  /** The text of this value, as it stands. */
  source(): string {
    return this.#root ? this.#slice(this.#root) : "";
  }

  spot(path: Path, of: "key" | "value" = "value"): Spot {
    const shown = pathText([...this.#base, ...path]);
    const node = this.#root && findNodeAtLocation(this.#root, [...path]);
    if (node) {
      const at = of === "key" ? node.parent?.children?.[0] ?? node : node;
      return { path: shown, ...this.#lineColumn(at.offset), value: this.#slice(node) };
    }
    let above = path;
    while (above.length > 0) {
      above = above.slice(0, -1);
      const parent = this.#root && findNodeAtLocation(this.#root, [...above]);
      if (parent) return { path: shown, ...this.#lineColumn(parent.offset), value: null };
    }
    return { path: shown, line: null, column: null, value: null };
  }

  #exact(node: Node): unknown {
    switch (node.type) {
      case "object": return Object.fromEntries(node.children!.map(({ children }) =>
        [children![0]!.value, this.#exact(children![1]!)]));
      case "array": return node.children!.map((item) => this.#exact(item));
      case "number": return parseJson(this.#slice(node));
      default: return node.value;
    }
  }

  #slice(node: Node): string {
    return this.text.slice(node.offset, node.offset + node.length);
  }

  #lineColumn(offset: number): { line: number; column: number } {
    const before = this.text.slice(0, offset);
    const line = before.split("\n").length;
    return { line, column: offset - before.lastIndexOf("\n") };
  }

  /** Only the first: what follows a syntax error is usually its consequence. */
  #syntax(errors: readonly ParseError[]): Problem[] {
    const first = errors[0];
    if (!first) return this.text.trim() === "" ? [this.#wrong(0, "the file is empty")] : [];
    const name = printParseErrorCode(first.error);
    return [this.#wrong(first.offset, expectations[name] ?? `not JSON (${name})`)];
  }

  #wrong(offset: number, message: string): Problem {
    const rest = this.text.slice(offset).split("\n", 1)[0]!.trim();
    return {
      ...(this.file === null ? {} : { file: this.file }),
      path: pathText(this.#base), ...this.#lineColumn(offset), message,
      value: rest === "" ? null : shorten(rest), nearest: null,
    };
  }

  /** A key that stands twice would silently win over the first. */
  #twice(): Problem[] {
    const found: Problem[] = [];
    const visit = (node: Node): void => {
      const keys = new Set<string>();
      for (const child of node.children ?? []) {
        if (node.type === "object") {
          const key = child.children![0]!;
          if (keys.has(key.value)) {
            found.push(this.#wrong(key.offset, `"${key.value}" stands twice in this object`));
          }
          keys.add(key.value);
          if (child.children![1]) visit(child.children![1]);
        } else visit(child);
      }
    };
    if (this.#root) visit(this.#root);
    return found;
  }
}
