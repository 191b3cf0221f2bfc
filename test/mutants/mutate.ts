/** One change of a kernel's text. */
export interface Mutant {
  readonly text: string;
  /** What became of what: `< → <=`. */
  readonly change: string;
  /** The line as it was. */
  readonly line: string;
}

const others: Readonly<Record<string, string>> = {
  "<": "<=", "<=": "<", ">": ">=", ">=": ">", "===": "!==", "!==": "===", "+": "-", "-": "+",
  "*": "+", "/": "*", "%": "*", "&": "|", "|": "&", "^": "&", "<<": ">>", ">>": "<<", ">>>": "<<",
  "&&": "||", "||": "&&", "+=": "-=", "!": "",
};
/** Between blanks an operator has two operands; `!` and `-` stand before one. */
const operator = /(?<= )(?:===|!==|<=|>=|<<|>>>|>>|&&|\|\||\+=|[<>+\-*/%&|^])(?= )|!(?=[\w(])/g;
const constant = /(?<![\w.])\d+(?:\.\d+)?(?:e\d+)?(?![\w.])/g;
const branch = /\bif \(/g;

/** Every operator, constant and branch of a text changed in turn. */
export function mutantsOf(text: string): Mutant[] {
  const found: Mutant[] = [];
  const change = (at: number, from: string, to: string, what = `${from} → ${to}`): void => {
    const start = text.lastIndexOf("\n", at) + 1;
    const end = text.indexOf("\n", at);
    found.push({ change: what, line: text.slice(start, end < 0 ? undefined : end).trim(),
      text: text.slice(0, at) + to + text.slice(at + from.length) });
  };
  for (const { 0: from, index } of text.matchAll(operator)) {
    change(index, from, others[from]!, `${from} → ${others[from] || "left out"}`);
  }
  for (const { 0: from, index } of text.matchAll(constant)) {
    change(index, from, from === "0" ? "1" : String(Number(from) + 1));
    if (from !== "0") change(index, from, "0");
  }
  for (const { 0: from, index } of text.matchAll(branch)) {
    const to = closing(text, index + from.length);
    const condition = text.slice(index, to + 1);
    change(index, condition, "if (true)", "if → always");
    change(index, condition, "if (false)", "if → never");
  }
  for (const { index, condition } of choices(text)) {
    change(index, condition, "true", "? : → first");
    change(index, condition, "false", "? : → second");
  }
  return found;
}

/** The conditions before `?`, from the `=` or bracket that they follow. */
function* choices(text: string): Generator<{ index: number; condition: string }> {
  for (const { 0: whole, 1: before, 2: condition, index } of
    text.matchAll(/(= |\? |: )([^=?:;{}\n](?:[^?:;{}\n])*?) \? /g)) {
    if (whole.includes("\n")) continue;
    yield { index: index + before!.length, condition: condition! };
  }
}

function closing(text: string, from: number): number {
  let open = 1;
  for (let at = from; ; at++) {
    if (text[at] === "(") open += 1;
    else if (text[at] === ")" && --open === 0) return at;
  }
}

/** Each call and round of a loop takes of `globalThis.rounds`: what would never end throws. */
export const guarded = (text: string): string =>
  text.replace(/(?<=\b(?:for|while|function \w+) \([^{]*\) \{|\bfunction \w+\([^{]*\) \{)/g,
    " if (globalThis.rounds-- < 0) throw new Error('endless');");
