import { assert } from "../base.ts";
import { GOOD, type Written } from "../ring.ts";
import { isExternal, isRule, keyOf, type Command } from "./command.ts";
import { isOurs, type Admitted } from "./gate.ts";
import type { Outcome } from "./outcome.ts";
import { isKnown, sameRaw, withinOneLsb, type TagFacts } from "./path.ts";
import type { Arming, Pending, PermitCell, ReadResult, TagView } from "./state.ts";

/** What an ordinary read of a tag told about our last write (W15, W16). */
export type Observed = "nothing" | "verified-late" | "not-written" | "external-change";

/**
 * One writable tag, from command to outcome:
 *
 *     idle ──begin──▶ chosen ──intend──▶ intended ──leave──▶ sent ──finish──▶ idle
 *                       │                   │                             ▲
 *                       └──────────────── finish ─────────────────────────┘
 *
 * `chosen` covers the read made for the command and the wait for the audit's commit; `intended`
 * lasts until the last look; `sent` until the outcome, which includes the read-back.
 */
export class TagState implements TagView {
  readonly facts: TagFacts;
  phase: "idle" | "chosen" | "intended" | "sent" = "idle";
  hash: string | null = null;
  linkUp = false;
  arming: Arming | null = null;
  unarmedWhy = "nobody armed it since the start";
  busy: string | null = null;
  read: ReadResult | null = null;
  overtaken: Written | null = null;
  lastCommand: Written | null = null;
  lastReadBack: Written | null = null;
  lastWriteAt = -Infinity;
  /** Monotonic ms at which the newest frame left, as far as is known: its last look. */
  leftAt = -Infinity;
  writesToday = 0;
  day = -1;
  pending: Pending | null = null;
  leftAlone: string | null = null;
  yielded: string | null = null;
  readonly rows = new Map<string, { readonly epoch: number; readonly sequence: number }>();
  permits: readonly PermitCell[] = [];
  #command: Command | null = null;
  #admitted: Admitted | null = null;
  /** ms between two polls: an unknown outcome is settled by a read one poll later (W15). */
  readonly #interval: number;
  /** Reads that began before this monotonic ms saw the tag as it was before our last write. */
  #settledAt = -Infinity;

  constructor(facts: TagFacts, interval_ms: number) {
    this.facts = facts;
    this.#interval = interval_ms;
  }

  /** The gate let it through to the read: from here to `finish` no other command gets the tag. */
  begin(command: Command): void {
    assert(this.phase === "idle", `${this.facts.id}: two commands at once`);
    this.phase = "chosen";
    this.busy = keyOf(command);
    this.read = null;
    this.overtaken = null;
    this.#command = command;
    if (command.row !== null && isRule(command.origin)) {
      this.rows.set(command.origin, command.row);
    }
  }

  /** The read made for this command; a value that is not ours is an external change (W9, W16). */
  wasRead(read: ReadResult): void {
    assert(this.phase === "chosen", `${this.facts.id}: a read for no command`);
    this.read = read;
  }

  /** The intent row is committed (W10): it counts as one of the day's writes. */
  intend(admitted: Admitted, day: number): void {
    assert(this.phase === "chosen", `${this.facts.id}: an intent for no command`);
    this.phase = "intended";
    this.#admitted = admitted;
    this.writesToday = (this.day === day ? this.writesToday : 0) + 1;
    this.day = day;
  }

  /** The last look passed; the bytes go to the wire in this very call's caller. */
  leave(now: number): void {
    assert(this.phase === "intended", `${this.facts.id}: a frame without an intent`);
    this.phase = "sent";
    this.leftAt = now;
    this.lastWriteAt = now;
  }

  /**
   * The wire answered or gave up: on a busy bus the frame left later than it was handed on, at
   * `leftAt` if that is known (else NaN).
   */
  answered(now: number, leftAt: number): void {
    this.lastWriteAt = now;
    if (leftAt > this.leftAt) this.leftAt = leftAt;
  }

  /** The end of every command, whatever became of it. */
  finish(outcome: Outcome, now: number): void {
    assert(this.phase !== "idle", `${this.facts.id}: an outcome for no command`);
    if (this.phase === "sent") this.#settle(outcome, now);
    else if (outcome.code === "external-change") this.#takeOver(this.overtaken ?? this.read!.value);
    this.phase = "idle";
    this.busy = null;
    this.read = null;
    this.#command = null;
    this.#admitted = null;
  }

  #settle(outcome: Outcome, now: number): void {
    const command = this.#command!, { means } = this.#admitted!;
    const before = this.read !== null && this.read.state === GOOD ? this.read.value : null;
    this.#settledAt = now;
    // Refused after `leave`: the wire would not take it, or the serial worker looked last and held
    // it back. No byte left, so nothing has changed.
    if (outcome.outcome === "refused") return;
    // W16: the person who wrote means it; rules come back when somebody arms again.
    if (isExternal(command.origin)) this.yielded = `a manual write by ${command.by}`;
    if (outcome.outcome === "rejected") {
      this.lastReadBack = before ?? this.lastReadBack;
      return;
    }
    this.lastCommand = means;
    if (outcome.outcome === "unknown") {
      this.lastReadBack = before;
      this.pending = { means, before, since: now + this.#interval };
    } else {
      this.lastReadBack = outcome.readBack;
      this.pending = null;
    }
  }

  /**
   * A good or bad read of the tag by its ordinary poll. `at`: monotonic ms at which the read began.
   * Settles an unknown outcome and notices a change from outside; while a command is on its way,
   * its last look does (W11).
   */
  observe(read: ReadResult): Observed {
    if (read.state !== GOOD || !isKnown(read.value)) return "nothing";
    if (this.phase === "sent" || read.at <= this.#settledAt) return "nothing";
    if (this.phase !== "idle") {
      if (this.read !== null && !this.#isAsRead(read.value)) this.overtaken = read.value;
      return "nothing";
    }
    if (this.pending !== null) return this.#observePending(this.pending, read);
    if (isOurs(this, read.value)) return "nothing";
    this.#takeOver(read.value);
    return "external-change";
  }

  /** Nobody has changed the tag since it was read for the command in hand. */
  #isAsRead(value: Written): boolean {
    const { state, value: before } = this.read!;
    return state === GOOD ? sameRaw(this.facts, value, before) : isOurs(this, value);
  }

  #observePending(pending: Pending, read: ReadResult): Observed {
    if (read.at < pending.since) return "nothing";
    this.pending = null;
    const { means, before } = pending;
    if (withinOneLsb(this.facts, read.value, means)) {
      this.lastReadBack = read.value;
      return "verified-late";
    }
    if (before !== null && sameRaw(this.facts, read.value, before)) {
      this.lastCommand = null;
      this.lastReadBack = read.value;
      return "not-written";
    }
    this.#takeOver(read.value);
    return "external-change";
  }

  /** W16: somebody else's value stands there now, and automatic writing yields. */
  #takeOver(value: Written): void {
    this.yielded = `a change from outside to ${value}`;
    this.lastCommand = null;
    this.lastReadBack = value;
    this.pending = null;
  }

  /**
   * W1, W2: a fresh arming begins with what the tag reads now, and ends every yielding (W16). A
   * read from before our last write tells less than that write.
   */
  arm(arming: Arming, read: ReadResult): void {
    if (this.pending !== null) this.observe(read);
    this.arming = arming;
    this.unarmedWhy = "";
    // A proof is not the person who has looked and lets the rules go on.
    if (arming.only === null) this.yielded = null;
    if (this.pending === null && read.state === GOOD && read.at > this.#settledAt) {
      this.lastCommand = null;
      this.lastReadBack = read.value;
    }
  }

  /** W3: every end of an arming; true if there was one. */
  disarm(why: string): boolean {
    if (this.arming === null) return false;
    this.arming = null;
    this.unarmedWhy = why;
    return true;
  }

  /** W15: after a restart; `since` = monotonic ms from which a read may settle it. */
  restore(pending: Omit<Pending, "since"> | null, writes: number, day: number, now: number): void {
    this.pending = pending && { ...pending, since: now };
    if (pending !== null) this.lastCommand = pending.means;
    if (pending !== null) this.lastReadBack = pending.before;
    this.writesToday = writes;
    this.day = day;
  }

  /**
   * The configuration around the tag was changed: it is another object, and the machine the same.
   * What was written, what is not known, and who has taken over, all stay; the arming does not.
   */
  inherit(before: TagState): void {
    this.lastCommand = before.lastCommand;
    this.lastReadBack = before.lastReadBack;
    this.lastWriteAt = before.lastWriteAt;
    this.leftAt = before.leftAt;
    this.writesToday = before.writesToday;
    this.day = before.day;
    this.pending = before.pending;
    this.yielded = before.yielded;
    this.#settledAt = before.#settledAt;
    for (const [origin, row] of before.rows) this.rows.set(origin, row);
    this.unarmedWhy = before.unarmedWhy;
  }
}
