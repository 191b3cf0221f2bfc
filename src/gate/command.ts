import { FLAG, type Written } from "../ring.ts";

/** `rule:NAME`, `rest`, `mqtt`, `cli`, `prove`, or `onLoss:TAG`. */
export type Origin = string;

/** What a rule's value was computed from, by lineage: the worst of everything that was used. */
export interface Inputs {
  /** Monotonic ms of the oldest input. */
  readonly oldest: number;
  /** Worst state byte. */
  readonly state: number;
  /** All rows' flags, or-ed (`FLAG`). */
  readonly flags: number;
}

/** One attempt to write one tag. Plain data: it crosses threads. */
export interface Command {
  /** Unique for ever: given from outside, or (rule, epoch, row sequence) for a rule (W18). */
  readonly id: string;
  readonly origin: Origin;
  /** Who: rule name, token name, topic, user of the socket. */
  readonly by: string;
  /** Address it came from; empty for a rule. */
  readonly from: string;
  readonly tag: string;
  /** As asked: only a finite number or a text can be written, but anything may be asked. */
  readonly value: unknown;
  /** Unit that the caller named, or null. */
  readonly unit: string | null;
  readonly authenticated: boolean;
  readonly authorised: boolean;
  /** A rule's inputs; null for a command from outside. */
  readonly inputs: Inputs | null;
  /** A rule's row (W18); null for all others. */
  readonly row: { readonly epoch: number; readonly sequence: number } | null;
  /** Monotonic ms after which it must not leave; Infinity = only its inputs limit it. */
  readonly notAfter: number;
  /** Monotonic ms. */
  readonly receivedAt: number;
  /** Its deadline was a time of day, which means nothing without clock sync (W17). */
  readonly byWallClock: boolean;
  readonly retained: boolean;
  /** The audit knows its id already, or the transport says that it is a repetition. */
  readonly seen: boolean;
  /** The audit could not tell whether it knows the id: then nobody may act on it. */
  readonly idUnknown?: true;
}

export const isRule = (origin: Origin): boolean => origin.startsWith("rule:");
export const isOnLoss = (origin: Origin): boolean => origin.startsWith("onLoss:");
/** The present value, written back unchanged: a person tries whether a write arrives (W2). */
export const isProve = (origin: Origin): boolean => origin === "prove";
/** Commands from outside (W17): everything that is neither a rule nor `onLoss`. */
export const isExternal = (origin: Origin): boolean => !isRule(origin) && !isOnLoss(origin);

/**
 * What occupies a tag: an id from outside may spell the same as one of a rule, and a rule's row may
 * be a command for each of several tags.
 */
export const keyOf = ({ origin, tag, id }: Command): string => `${origin} ${tag} ${id}`;

/** W18: the id of a rule's command. */
function ruleCommandId(rule: string, epoch: number, sequence: number): string {
  return `${rule}/${epoch}/${sequence >>> 0}`;
}

/** A rule's command (W18): from the row of its output with the lineage of that row. */
export function ruleCommand(
  rule: string, tag: string, value: unknown, inputs: Inputs,
  row: { readonly epoch: number; readonly sequence: number }, now: number,
): Command {
  return {
    id: ruleCommandId(rule, row.epoch, row.sequence), origin: `rule:${rule}`, by: rule, from: "",
    tag, value, unit: null, authenticated: true, authorised: true, inputs, row,
    notAfter: Infinity, receivedAt: now, byWallClock: false, retained: false, seen: false,
  };
}

/** The command of a loss (W19); its deadline is short, it is late already. */
export function onLossCommand(
  tag: string, value: number, arming: number, now: number, notAfter: number,
): Command {
  return {
    id: `onLoss/${tag}/${arming}`, origin: `onLoss:${tag}`, by: "onLoss", from: "", tag, value,
    unit: null, authenticated: true, authorised: true, inputs: null, row: null, notAfter,
    receivedAt: now, byWallClock: false, retained: false, seen: false,
  };
}

/**
 * A person's proof by writing: the value that the tag was just read as, under an arming of its own.
 * `claim`: whether its id came before (W17).
 */
export function proveCommand(
  ask: { readonly id: string; readonly tag: string; readonly by: string },
  value: Written, claim: "new" | "known" | "unknown", now: number, notAfter: number,
): Command {
  const { id, tag, by } = ask;
  return {
    id, origin: "prove", by, from: "socket", tag, value, unit: null, authenticated: true,
    authorised: true, inputs: null, row: null, notAfter, receivedAt: now, byWallClock: false,
    retained: false, seen: claim === "known", ...(claim === "unknown" ? { idUnknown: true } : {}),
  };
}

export const isBackfill = (inputs: Inputs): boolean => (inputs.flags & FLAG.backfill) !== 0;
export const isReplayed = (inputs: Inputs): boolean => (inputs.flags & FLAG.replayed) !== 0;
export const isDoubtful = (inputs: Inputs): boolean => (inputs.flags & FLAG.doubtful) !== 0;
