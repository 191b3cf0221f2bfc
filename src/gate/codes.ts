/**
 * Every reason for which a command is not carried out, in the order in which the gate tests (W8).
 * Codes are stable: they stand in the audit, on the API, and in docs/writing.md with what to do.
 * `{name}` in a sentence is filled in from the refusal's values.
 */
export const refusals = {
  // The caller.
  "not-authenticated": "The caller did not prove who they are.",
  "not-authorised": "{by} has no right to write.",
  // The message (commands from outside, W17).
  "malformed": "The command cannot be read: {problem}.",
  "retained": "The broker kept this message from earlier; only live commands are taken.",
  "id-missing": "The command has no id.",
  "deadline-missing": "The command has no deadline.",
  "deadline-too-far": "The deadline is {ahead_ms} ms ahead; at most {most_ms} ms is allowed.",
  "clock-unsynced": "The clock is not synchronised, so a deadline by wall clock means nothing.",
  "expired": "The command's deadline passed {late_ms} ms ago{where}.",
  "duplicate": "The command {id} came before.",
  // The allow-list.
  "unknown-tag": "There is no tag {tag}.",
  "no-policy": "The write policy does not name {tag}.",
  "not-writable": "{tag} has access read; only a read-write tag is written.",
  "not-supported": "{tag} is not written: {why}.",
  "not-allowed": "The write policy does not let {origin} write {tag}.",
  "broadcast": "{tag} is a broadcast, which nobody answers: {why}.",
  // One command a tag, and what became of the one before.
  "busy": "Another command for {tag} is on its way.",
  "yielded": "Automatic writing of {tag} yields since {why}; arm it again to go on.",
  "unknown-pending": "It is not known whether the last write of {tag} arrived.",
  // The inputs of a rule.
  "input-missing": "The command does not say what it was computed from.",
  "input-old": "The oldest input is {age_ms} ms old; at most {most_ms} ms is allowed.",
  "input-bad": "An input is {state}, not good.",
  "input-backfill": "An input is history that was read later.",
  "input-replayed": "An input was replayed after a restart.",
  "input-doubtful":
    "The row comes of a retained message, or of a device of which no tag is good.",
  // The value.
  "wrong-type": "The value is {type}; {tag} takes {wants}.",
  "wrong-unit": "The value is in {unit}; {tag} is in {eu}.",
  "not-a-number": "The value is not a finite number.",
  "out-of-range": "{means} is outside {min} to {max}.",
  "does-not-fit": "{tag} cannot hold {value}: {why}.",
  "text-not-allowed": "The policy does not allow the text {means} for {tag}.",
  // The read made for this command (W9).
  "link-down": "The link of {tag} is not open.",
  "unread": "{tag} could not be read before writing: {state}.",
  "external-change": "{tag} was changed from outside: it reads {read}, we left it at {left}.",
  "step-too-large": "From {read} to {means} is more than the largest step {maxStep}.",
  "not-present": "A proof writes what {tag} reads, which is {read} and not {means}.",
  "deadband": "{means} is less than {deadband} away from {read}.",
  "too-soon": "The last write of {tag} was {age_ms} ms ago; {most_ms} ms must pass.",
  "quota": "{tag} was written {writes} times today, which is all that is allowed.",
  // The permit (W12).
  "permit-unknown": "The permit condition {condition} is {state}.",
  "permit-old": "The permit condition {condition} is {age_ms} ms old; at most {most_ms} ms.",
  "permit-false": "The permit condition {condition} is not met.",
  // The mode (W1..W5).
  "safe-mode": "The gateway runs in safe mode after starts without an orderly stop before them: " +
    "rules, models and writes are off; run --normal leaves it.",
  "config-rejected": "The configuration was rejected; the last good one runs without writing.",
  "latched": "Writing was disarmed by {by}; lift it with disarm --clear.",
  "changing": "The configuration that {tag} is written by is being changed.",
  "mode-off": "The write policy switches {tag} off.",
  "shadow": "The write policy lets {tag} run in shadow only: computed and logged, never sent.",
  "not-armed": "{tag} is not armed ({why}): computed and logged, not sent.",
  // The durable intent (W10), the last look (W11), the way to the wire.
  "audit-unavailable": "The audit cannot be written: {why}.",
  "arming-changed": "{tag} was armed anew after this command was admitted.",
  "no-time": "{left_ms} ms are left to the deadline, and the last answer took {answer_ms} ms.",
  "not-sent": "The command was admitted but could not be handed to the wire.",
  // Answers to `arm` only.
  "no-proof": "{tag} was not read and confirmed at its present place; arm shows it and asks.",
  "arm-too-long": "An arming lasts at most {most_minutes} minutes.",
  "armed-otherwise": "{tag} is armed already, by {by}.",
  "arm-invalid": "An arming needs a duration above zero and a name.",
  // The end of an onLoss intent that was not needed.
  "not-fired": "The arming ended without a loss.",
} as const satisfies Record<string, string>;

export type Code = keyof typeof refusals;
export type Values = Readonly<Record<string, string | number | boolean | null>>;


export interface Refusal {
  readonly admit: false;
  readonly code: Code;
  /** One sentence for a person. */
  readonly sentence: string;
  readonly values: Values;
}

export function refuse(code: Code, values: Values = {}): Refusal {
  return { admit: false, code, sentence: sentenceOf(code, values), values };
}

export function sentenceOf(code: Code, values: Values): string {
  return refusals[code].replace(/\{(\w+)\}/g, (_, name: string) => show(values[name]));
}

function show(value: string | number | boolean | null | undefined): string {
  if (typeof value === "number") return String(Number(value.toPrecision(9)));
  return value === undefined || value === null ? "nothing" : String(value);
}
