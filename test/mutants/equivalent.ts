import type { Mutant } from "./mutate.ts";

/** A rule: what is changed how in which statements, after what, and why no row can tell. */
interface Rule {
  readonly kernel?: string;
  readonly statement: RegExp;
  readonly change: RegExp;
  readonly before?: RegExp;
  readonly why: string;
}

const rules: readonly Rule[] = [
  { statement: /^const \w+ = (\w+) > (\w+) \? \1 : \2$/, change: /^> → >=$/,
    why: "of two that are equal either is the larger" },
  { statement: /^if \((.+) [<>] (.+)\) (?:\2 = \1|\1 = \2)$/, change: /^(?:< → <=|> → >=)$/,
    why: "an equal one in its place is the same" },
  { statement: /\bhash\d* = /, change: /./, before: /\bhash\d* = [^,]*$/,
    why: "a hash only spreads keys over a table: by any they are found again" },
  { statement: /^let slot\d* = /, change: /^(?:\^ → &|15 → .*|>>> → <<|\* → \+)$/,
    why: "a hash only spreads keys over a table: by any they are found again" },
  { statement: /^j < n$/, change: /^< → <=$/,
    why: "one more row is written where nobody reads before the next is" },
  { statement: /^const end = /, change: /^(?:> → >=|32 → 0|0 → 1|\? : → first)$/,
    why: "in how many blocks rows are gone through does not matter" },
  { statement: /^const \w+ = \(?\w+ < 64\)? (?:\?|&&) .*(?:fn\.|BigInt\(|!!|new Date)/,
    change: /^(?:< → <=|64 → 65)$/, before: /^const \w+ = \(?\w+ (?:< )?$/,
    why: "a value where its state says that there is none: nobody reads it" },
  { statement: /^const v\d* = t\d* \? .* : 0$/, change: /^(?:\? : → first|0 → 1)$/,
    why: "a value where its state says that there is none: nobody reads it" },
  { statement: /^let y\d* = 0, /, change: /^0 → 1$/, before: /^let y\d* = $/,
    why: "a value where its state says that there is none: nobody reads it" },
  { statement: /fn\.(?:writeDyn|putText|putBytes)\(.* : 0$/, change: /^0 → 1$/, before: / : $/,
    why: "a value where its state says that there is none: nobody reads it" },
  { statement: /^fn\.copyBytes\(.*, 0, 0\)$/, change: /^0 → 1$/, before: /, $/,
    why: "of no bytes the place does not matter" },
  { statement: /./, change: /^0 → 1$/, before: /(?:<< 1\)|_word|I\[to\d*) \+ 1 \| $/,
    why: "the second of two words has an odd number already" },
  { statement: /^if \(F\[lag\d+_skip.*\] > 0\) F\[lag\d+_skip.*\] -= 1$/,
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
  { statement: /none\d* \? 0 : /, change: /^0 → 1$/, before: /none\d* \? $/,
    why: "the bits of a key that is NULL may be any, if they are always the same" },
  { statement: /^const low\d* = none\d* \? 0|^const high\d* = none\d* \? 0/, change: /^0 → 1$/,
    why: "the bits of a key that is NULL may be any, if they are always the same" },
  { kernel: "emit", statement: /^return to - from \| 0$/, change: /./,
    why: "how many rows a window gives is known before: nobody asks what comes back" },
  { kernel: "join", statement: /^F\[out_(?:time|source) |^const (?:out_)?(?:time|source)\d* = I/,
    change: /^(?:0 → 1|> → >=|\d+ → (?!0$)\d+|\? : .*)$/,
    why: "times of joined rows: what a window gives has the time of its end" },
];

/** Why a mutant means the same as the text; null if nothing says so. */
export function reasonOf({ statement, change, before, pattern }: Mutant): string | null {
  return rules.find((rule) => rule.statement.test(statement) && rule.change.test(change)
    && (rule.before?.test(before) ?? true)
    && (rule.kernel === undefined || pattern.startsWith(`${rule.kernel}: `)))?.why ?? null;
}
