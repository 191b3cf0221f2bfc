import type { Mutant } from "./mutate.ts";

/** A rule: what is changed how in which statements, after what, and why no row can tell. */
interface Rule {
  readonly kernel?: string;
  /** What stands somewhere in the kernel. */
  readonly within?: RegExp;
  readonly statement: RegExp;
  readonly change: RegExp;
  readonly before?: RegExp;
  readonly why: string;
}

/** What makes a value, whatever it is made of: it fails nowhere, and says nothing of states. */
const making = "fn\\.(?:gather|readDyn|textOf|bytesOf|bigOf|narrowDyn|" +
  "(?:multiply|divide|remainder)64)\\(|BigInt\\(|!!|new Date";
const timeIsOfWindow = "times of joined rows: what a window gives has the time of its end";

const rules: readonly Rule[] = [
  { statement: /^(?:const \w+|F\[.+\]) = (\w+) > (\w+) \? \1 : \2$/, change: /^> → >=$/,
    why: "of two that are equal either is the larger" },
  { statement: /^(?!.*\|\|)(?:else )?if \(([^&]+) [<>] ([^&]+)\) (?:\2 = \1|\1 = \2)$/,
    change: /^(?:< → <=|> → >=)$/, why: "an equal one in its place is the same" },
  { statement: /^(?!.*\|\|)(?:else )?if \(.* && ([^&]+) [<>] ([^&]+)\) (?:\2 = \1|\1 = \2)$/,
    change: /^(?:< → <=|> → >=)$/, before: /&& [^<>&]* $/,
    why: "an equal one in its place is the same" },
  { statement: /^if \(([23]) > (.+)\) \2 = \1$/, change: /^(?:2 → 3|3 → 4)$/, before: /^if \($/,
    why: "states are whole numbers: what is less than one more is not more" },
  { statement: /^(?:else )?if \((?:.* && )?(.+) < ([234])\) \1 = \2$/,
    change: /^(?:2 → 3|3 → 4|4 → 5)$/, before: / < $/,
    why: "states are whole numbers: what is less than one more is not more" },
  { statement: /^if \((\w+) \* 2 > (.+)\) \2 = \1 \* 2$/, change: /^2 → 3$/, before: /^if [^=]*$/,
    why: "states are whole numbers: what is less than one more is not more" },
  { statement: /\bhash\d* = /, change: /./, before: /\bhash\d* = [^,]*$/,
    why: "a hash only spreads keys over a table: by any they are found again" },
  { statement: /^let slot\d* = /, change: /^(?:\^ → &|15 → .*|>>> → <<|\* → \+|1 → 2)$/,
    why: "a hash only spreads keys over a table: by any they are found again" },
  { statement: /^j < n$/, change: /^< → <=$/,
    why: "one more row is written where nobody reads before the next is" },
  { statement: /^const end = /, change: /^(?:> → >=|32 → 0|0 → 1|\? : → first)$/,
    why: "in how many blocks rows are gone through does not matter" },
  { statement: new RegExp(`^const \\w+ = \\(?\\w+ < 64\\)? (?:\\?|&&) (?:${making})[^.]*$`),
    change: /^(?:< → <=|64 → 65|\? : → first)$/, before: /^const \w+ = \(?(?:\w+ (?:< )?)?$/,
    why: "a value where its state says that there is none: nobody reads it" },
  { statement: /^const [vn]\d* = \w+ \? \w+ : 0$/, change: /^(?:\? : → first|0 → 1)$/,
    why: "a value where its state says that there is none: nobody reads it" },
  { statement: /^const v\d* = (s\d*) < 64 \? v\d* : 0$/,
    change: /^(?:< → <=|64 → 65|0 → 1|\? : → first)$/,
    why: "a value where its state says that there is none: nobody reads it" },
  { statement: /^slot\d* = slot\d* \+ 1 & /, change: /^\+ → -$/, before: /^slot\d* = slot\d* $/,
    why: "a slot that is taken is passed upwards or downwards, if it is always the same" },
  { statement: /^let y\d* = 0, /, change: /^0 → 1$/,
    before: /^let y\d* = (?:0, (?:high|length)\d* = )?$/,
    why: "a value where its state says that there is none: nobody reads it" },
  { statement: /fn\.(?:writeDyn|putText|putBytes)\(.* : 0$/, change: /^0 → 1$/, before: / : $/,
    why: "a value where its state says that there is none: nobody reads it" },
  { statement: /^fn\.copyBytes\(.*, 0, 0\)$/, change: /^0 → 1$/, before: /, $/,
    why: "of no bytes the place does not matter" },
  { statement: /./, change: /^0 → 1$/, before: /(?:<< 1\)|_word|I\[to\d*|I\[range) \+ [13] \| $/,
    why: "the second of two words has an odd number already" },
  { statement: /^if \((F\[lag\d+_skip.*\]|lag\d+_skip_now) > 0\) \1 -= 1$/,
    change: /^(?:> → >=|if → always)$/,
    why: "less than none to come is none to come" },
  { statement: /^if \(seen > \d+\)$/, change: /^(?:> → >=|if → always|193 → 0)$/,
    why: "where there is no error counting finds none: to look is only slower" },
  { statement: /^if \(\w+ < 64 & \w+ > U\[key\d+_state/, change: /^(?:< → <=|64 → 65)$/,
    before: /^if \(\w+ (?:< )?$/,
    why: "the key of a group that is NULL has the state 64 or more already" },
  { statement: /^(?:a\d+_n|F\[a\d+_n_at \+ g \| 0\]) = 1$/, change: /^1 → 2$/,
    why: "of how many values the last was is not asked, only whether there was one" },
  { statement: /^if \(F\[lag\d+_rows.*\] < \w+\) F\[lag\d+_rows.*\] \+= 1$/,
    change: /^if → always$/,
    why: "rows before this one are enough, or more than enough" },
  { statement: /^let hash\d* = .*, \w+ = -1$|^(?:g|k\d*) = -1$/, change: /^1 → 2$/,
    before: / = -$/, why: "any number below 0 says that there is none" },
  { statement: /_bits\d*\] = \(none\d* === 1 \? 0 : \w+ \| 0\) \+ 0$/,
    change: /^(?:0 → 1|\+ → -)$/, before: /\) \+? ?$/,
    why: "of TRUE and FALSE the bits only have to differ" },
  { kernel: "emit", statement: /^const s\d* = s\d* < 64 & \(\w+ === null\) \?/,
    change: /^(?:< → <=|64 → 65)$/, before: /^const s\d* = s\d* (?:< )?$/,
    why: "what an aggregate comes to is no bad value: its state is below 64 or 192 at least" },
  { statement: /^const n\d* = s\d* < 64 \? fn\.writeDyn\(/, change: /^(?:< → <=|64 → 65)$/,
    why: "where the state says 64 the value is NULL: it has room everywhere, and nobody reads it" },
  { statement: /^const s\d* = s\d* < 64 && !fn\.fits\(/, change: /^(?:< → <=|64 → 65)$/,
    why: "where the state says 64 the value is NULL, which has room everywhere" },
  { statement: /^const v\d* = count\d* > 0 \? fn\.quantile\(.*\) : 0$/, change: /^0 → 1$/,
    before: / : $/, why: "a value where its state says that there is none: nobody reads it" },
  { statement: /^const v\d* = count\d* < 4 \? 0 : fn\.magnitudeOf\(/,
    change: /^(?:0 → 1|\? : → second)$/, before: /= (?:count\d* < 4 \? )?$/,
    why: "a value where its state says that there is none: nobody reads it" },
  { kernel: "join", statement: /^U\[marks.* = 1$/, change: /^1 → 2$/, before: / = $/,
    why: "a mark is any number but 0" },
  { kernel: "emit", statement: /^g < to$/, change: /^< → <=$/,
    why: "one more row is written where nobody reads before the next is" },
  { statement: /^const gone = /, change: /^> → >=$/, why: "of two that are equal either is gone" },
  { statement: /_bits\d*\] = \(?none\d* === 1 \? 0 : /, change: /^0 → 1$/,
    before: /none\d* === 1 \? $/,
    why: "the bits of a key that is NULL may be any, if they are always the same" },
  { kernel: "emit", statement: /^const n\d* = s\d* < 64 \? fn\.writeDyn\(/,
    change: /^\? : → first$/, why: "NULL has room everywhere, and what is written is not read" },
  { statement: /^const s\d* = \((s\d*) < 64 & .+\) \| \1 > 193 \? \1 : s\d*$/,
    change: /^(?:< → <=|64 → 65|> → >=)$/,
    before: /^const s\d* = \(s\d* (?:< )?$|\| s\d* $/,
    why: "a condition without a value is FALSE, uncertain: it has no state from 64 to 193" },
  { statement: /^const \w+ = \w+ !== 0 & (\w+) < (\w+) \? \1 : \2$/, change: /^< → <=$/,
    why: "of two that are equal either is the smaller" },
  { statement: / (\w+) < 2 \? 2 : \1/, change: /^2 → 3$/, before: / < $/,
    why: "states are whole numbers: what is less than one more is not more" },
  { kernel: "running", statement: /\[window \+ [26] \| 0\]/, change: /^0 → 1$/,
    before: /\[window \+ [26] \| $/,
    why: "behind the one word for errors these words have odd numbers already" },
  { kernel: "running", statement: /^groups = 1$/, change: /^1 → 2$/,
    why: "without keys it is asked only whether there is a group" },
  { kernel: "join", statement: /^(?:F|I)\[\w+ (?:\+ w \| 0)?\] = 0(?: \| 0)?$/, change: /^0 → 1$/,
    before: / = (?:0 \| )?$/, why: "beside the state of a side that is missing nobody reads" },
  { kernel: "join", within: / !== input/, change: /./, why: timeIsOfWindow,
    statement: /^const t\d* = F\[time\d* \+ [rq] \| 0\]$/ },
  { kernel: "emit", statement: /^const n\d* = Math\.max\(n\d*, 0\)$/, change: /^0 → 1$/,
    why: "a value of no fixed type has a byte at least: only where there is none it is fewer" },
  { kernel: "join", statement: /^U\[out_state\d* \+ w \| 0\] = 0$/, change: /./,
    why: "the oldest time is always good: no stage reads its state" },
  { statement: /none\d* \? 0 : /, change: /^0 → 1$/, before: /none\d* \? $/,
    why: "the bits of a key that is NULL may be any, if they are always the same" },
  { statement: /^const low\d* = none\d* \? 0|^const high\d* = none\d* \? 0/, change: /^0 → 1$/,
    why: "the bits of a key that is NULL may be any, if they are always the same" },
  { kernel: "emit", statement: /^return to - from \| 0$/, change: /./,
    why: "how many rows a window gives is known before: nobody asks what comes back" },
  { kernel: "join", within: / !== input/, why: timeIsOfWindow,
    statement: /^F\[out_(?:time|source) |^const (?:out_)?(?:time|source)\d* = I/,
    change: /^(?:0 → 1|> → >=|\d+ → (?!0$)\d+|\? : .*)$/ },
];

/**
 * Why a mutant means the same as the text, in the place where it stands; null if nothing says so.
 */
export function reasonOf(mutant: Mutant): string | null {
  const { statement, change, before, pattern } = mutant;
  if (isNullAlready(mutant)) return "an argument that is null already where its state says so";
  if (isAnswered(mutant)) return "a value where its state says that there is none: nobody reads it";
  if (isSeeing(mutant)) return "what sees NULL takes states as conditions do: none is 64 to 193";
  return rules.find((rule) => rule.statement.test(statement) && rule.change.test(change)
    && (rule.before?.test(before) ?? true)
    && (rule.kernel === undefined || pattern.startsWith(`${rule.kernel}: `))
    && (rule.within?.test(mutant.kernel()) ?? true))?.why ?? null;
}

/** In `s < 64 ? fn.body.f(…) : null`, where nothing asks whether the body refuses. */
function isAnswered({ statement, change, before, kernel }: Mutant): boolean {
  const made = /^const (\w+) = \w+ < 64 \? fn\.body\./.exec(statement)?.[1];
  return made !== undefined && !kernel().includes(` ${made} === undefined `) &&
    /^(?:< → <=|64 → 65|\? : → first)$/.test(change) &&
    /^const \w+ = (?:\w+ (?:< )?)?$/.test(before);
}

/** In `s < 64 ? fn.body.f(…) : null`, of the state 64, where an argument is NULL if it has none. */
function isSeeing({ statement, change, before }: Mutant): boolean {
  const isCall =
    /^const \w+ = \w+ < 64 \? fn\.body\.[$\w]+\(.* : null.*\) : null$/.test(statement);
  return isCall && /^(?:< → <=|64 → 65)$/.test(change) && /^const \w+ = \w+ (?:< )?$/.test(before);
}

/**
 * In `s < 64 ? v : null`, and in `s < 64 & (v !== v)` or another test that null does not pass, of
 * the state 64, which no operation gives by itself: `v` was made of a value with that state, and is
 * null where it is not below 64.
 */
function isNullAlready({ statement, change, before, kernel }: Mutant): boolean {
  const after = statement.slice(before.length);
  const state = /(\w+) (?:< )?$/.exec(before)?.[1];
  const value = /^(?:< )?64 (?:\? (\w+) : null[,)]|& \((\w+) (?:!== \2|> 9007\d+ ))/.exec(after)
    ?.slice(1).find((name) => name !== undefined);
  if (!/^(?:< → <=|64 → 65)$/.test(change) || state === undefined || value === undefined) {
    return false;
  }
  const text = kernel();
  const definition = (name: string): string =>
    new RegExp(`const ${name} = ([^;]*);`).exec(text)?.[1] ?? "";
  let from = state;
  for (let next; (next = / \? \d+ : (\w+)$/.exec(definition(from))?.[1]) !== undefined;) {
    from = next;
  }
  const made = /^(\w+) \+ 0$/.exec(definition(value))?.[1] ?? value;
  const guard = /^(\w+) < 64 \? .* : null$/.exec(definition(made))?.[1];
  return guard !== undefined && (guard === from || guard === state);
}
