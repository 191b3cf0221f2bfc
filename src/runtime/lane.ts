import { limits, reason, type Clock, type Log } from "../base.ts";
import type { Link, Tag, TagPolicy } from "../config.ts";
import { DONE, type AnyDriver } from "../driver.ts";
import {
  armingEnds, broadcastOutcome, decide, isOnLoss, isProve, isRule, lastLook, lossText, LossWatch,
  onLossCommand, pathHash, permitsUntil, readBackOutcome, refuse, refusedOutcome, TagState,
  whyUnsupported, wireOutcome, type Admitted, type Arming, type Box, type Command, type Encoded,
  type Outcome, type PermitCell, type ReadResult, type Refusal, type TagFacts,
} from "../gate.ts";
import { BAD, GOOD, readCell, type Column, type Ring, type Written } from "../ring.ts";
import type { Stage } from "../sql.ts";
import type { JobDone, LinkPort } from "./port.ts";

/** The durable record, as a lane uses it (W10, W21). */
export interface LaneAudit {
  /** Commits the intent; `done` is called with null, or why it could not be. */
  intent(
    command: Command, admitted: Admitted, tag: TagState, done: (trouble: string | null) => void,
  ): void;
  /**
   * `sent`: monotonic ms at which the bytes went to the wire, null = they did not. `frame`: these
   * bytes, null = none, or not known.
   */
  outcome(
    command: Command, outcome: Outcome, sentence: string | null, sent: number | null,
    frame: Uint8Array | null,
  ): void;
  refused(command: Command, refusal: Refusal): void;
  reserve(command: Command, admitted: Admitted, tag: TagState): Promise<boolean>;
}

export interface LaneOptions {
  readonly tag: Tag;
  readonly driver: AnyDriver;
  readonly link: Link;
  readonly port: LinkPort;
  readonly policy: TagPolicy;
  readonly ring: Ring;
  readonly interval: number;
  /** `streams`: what the conditions read. */
  readonly permit: {
    readonly stage: Stage; readonly ring: Ring; readonly streams: ReadonlySet<string>;
    /** By condition: the tags that it reads. */
    readonly reads: readonly (readonly string[])[];
  } | null;
  readonly box: Box;
  readonly audit: LaneAudit;
  readonly clock: Clock;
  readonly log: Log;
  wake(): void;
  armingEnded(number: number, why: string): void;
  /** A person forced the tag, or had its device left alone. */
  isOverridden(tag: string): boolean;
  /** Of a broadcast: a device of the link that a person had left alone, or null. */
  leftAlone(): string | null;
}

export type Answer = (outcome: Outcome, refusal: Refusal | null, means: Written | null) => void;

/** The command that has the tag. */
interface UnderWay {
  readonly command: Command;
  readonly answer: Answer;
  /** Monotonic ms after which no look lets it pass. */
  readonly notAfter: number;
  /** Since its intent is durable. */
  admitted: Admitted | null;
}

/** How long after a loss its command may still leave (ms). */
const on_loss_within_ms = 1500;

/**
 * One writable tag's way from command to outcome (docs/writing-rules.md): gate, read for this
 * command, gate again, durable intent, last look, one frame, read-back, durable outcome. Every step
 * is a callback of the step before; nothing waits, and nothing is ever sent twice. Of a broadcast,
 * which nobody answers, nothing is asked for either read.
 */
export class Lane {
  readonly id: string;
  readonly state: TagState;
  readonly policy: TagPolicy;
  readonly port: LinkPort;
  /** From the last look to the port's answer a frame may leave: `disarm` waits for it (W4). */
  onTheWire = false;
  /** A change of the configuration has begun that ends it: nothing is taken, nobody arms. */
  retired = false;
  /** The gate's last decision, for `why`. */
  last: Record<string, unknown> | null = null;
  readonly #options: LaneOptions;
  readonly #column: Column;
  readonly #loss = new LossWatch();
  /** What the last look looks at: rows of the tag's own group, and of its permit. */
  readonly #streams: ReadonlySet<string>;
  #seen: number;
  /** The peer that `state.hash` was worked out with: it is looked at once a turn. */
  #peer = "";
  #underWay: UnderWay | null = null;
  /** What went to the wire for the command under way. */
  #frame: Uint8Array | null = null;
  /** W19: the loss whose intent was committed at arming and that has not fired. */
  #reserved: Command | null = null;
  /** Monotonic ms. */
  #pathEndedAt = -Infinity;

  constructor(options: LaneOptions) {
    const { tag, driver } = options;
    this.#options = options;
    this.id = tag.id;
    this.policy = options.policy;
    this.port = options.port;
    this.#column = options.ring.columns[tag.column]!;
    this.#seen = options.ring.head;
    this.#streams = new Set([options.ring.name, ...options.permit?.streams ?? []]);
    const facts: TagFacts = {
      id: tag.id, type: tag.type, scale: tag.scale, offset: tag.offset, eu: tag.eu,
      writable: tag.writable,
      unsupported: whyUnsupported(tag.type) ??
        driver.checkTag(tag.with({ writable: true }), options.link),
      broadcast: driver.broadcast?.is(tag) ?? false,
      encode: (value) => {
        try {
          return driver.encode(tag, value, options.link);
        } catch (thrown) {
          return reason(thrown);
        }
      },
    };
    this.state = new TagState(facts, options.interval);
  }

  /** Once a turn: what the polls, the link and the clock say of the tag. */
  step(now: number, time: number, stopping: boolean): number {
    const { state } = this;
    this.#followLink();
    this.#observe(now, time);
    const ends = armingEnds(state, this.#options.box, now);
    const loss = this.#loss.due(this.policy, state, stopping, now);
    if (loss !== null && ends === null) this.#lose(loss, now);
    else if (ends !== null) this.end(ends);
    else if (stopping && (this.policy.onLoss === null || state.arming?.only !== null)) {
      this.end("the gateway was stopped");
    }
    return Math.min(this.#endWaiting(now), this.#loss.next(this.policy, state));
  }

  /**
   * W11: a command that waits, for its read or for its turn on the link, is over with its deadline
   * and with its arming: the link may hang for longer, and whoever asked is told now. Gives when
   * (monotonic ms) to look again.
   */
  #endWaiting(now: number): number {
    const { state } = this;
    const one = this.#underWay;
    if (one === null || state.phase === "sent") return Infinity;
    // What is being committed has an intent, and ends by its last look.
    if (one.admitted === null && state.read !== null) return Infinity;
    // Until then it may pass; a ms later it may not.
    if (state.arming !== null && now <= one.notAfter) return one.notAfter + 1;
    this.#permits(now);
    const { command, answer, admitted } = one;
    if (admitted === null) {
      const verdict = decide(command, this.policy, this.known(), now);
      if (!verdict.admit) this.#withdraw(command, verdict, answer);
    } else {
      const refusal = lastLook(command, admitted, this.policy, this.known(), now);
      if (refusal !== null) {
        this.#finish(command, refusedOutcome(refusal.code), refusal, answer);
      }
    }
    return Infinity;
  }

  /** W3: what was read of the tag before says nothing of what stands there now. */
  pathEnded(why: string): void {
    this.#pathEndedAt = this.#options.clock.now();
    this.end(why);
  }

  /** W3: the arming ends; a command in flight is stopped by the last look. */
  end(why: string): void {
    const { arming } = this.state;
    if (arming === null || !this.state.disarm(why)) return;
    this.#options.armingEnded(arming.number, why);
    this.#unreserve();
    this.port.setArming?.(this.id, 0);
    this.#options.log.info("gate", `${this.id} is no longer armed`, { why });
  }

  /** W1, W2, W19: takes an arming that `tryArm` gave; gives why it may not take effect, or null. */
  async arm(arming: Arming, read: ReadResult): Promise<Refusal | null> {
    // A proof by writing does not take the tag out of anybody's hands; any other arming takes its
    // place with the rows of the one before, else they would look open after a restart.
    if (arming.only === null) this.end("armed anew");
    const loss = this.#lossOf(arming);
    if (loss !== null) {
      const { bytes, means } = loss.encoded;
      const admitted: Admitted = {
        admit: true, means, bytes, clamped: false, arming: arming.number, notAfter: arming.until,
      };
      if (!(await this.#options.audit.reserve(loss.command, admitted, this.state))) {
        return refuse("audit-unavailable", { why: this.#options.box.auditTrouble });
      }
      this.#reserved = loss.command;
    }
    // W3: what may have ended the path while the rows were committed.
    const broken = this.#brokenPath(arming, read);
    if (broken !== null) {
      this.#unreserve();
      return broken;
    }
    const now = this.#options.clock.now();
    this.state.arm(arming, read);
    this.#loss.alive(now);
    this.port.setArming?.(this.id, arming.number);
    this.#options.log.info("gate", `${this.id} is armed`, { by: arming.by, number: arming.number });
    return null;
  }

  #brokenPath(arming: Arming, read: ReadResult): Refusal | null {
    const { latched } = this.#options.box;
    if (this.retired) return refuse("changing", { tag: this.id });
    if (latched !== null) return refuse("latched", { by: latched });
    const other = this.state.arming;
    if (other !== null) return refuse("armed-otherwise", { tag: this.id, by: other.by });
    const same = this.port.open && this.state.hash === arming.hash &&
      read.at > this.#pathEndedAt;
    return same ? null : refuse("link-down", { tag: this.id });
  }

  /** The loss did not come: its intent ends as not fired. */
  #unreserve(): void {
    if (this.#reserved === null) return;
    this.#options.audit.outcome(this.#reserved, refusedOutcome("not-fired"), null, null, null);
    this.#reserved = null;
  }

  #lossOf(arming: Arming): { command: Command; encoded: Encoded } | null {
    const value = this.policy.onLoss?.value;
    if (typeof value !== "number" || arming.only !== null) return null;
    const encoded = this.state.facts.encode(value);
    if (typeof encoded === "string") return null;
    const now = this.#options.clock.now();
    return { command: onLossCommand(this.id, value, arming.number, now, arming.until), encoded };
  }

  /**
   * Reads the tag's raw words now, before any poll, unless nobody would answer. `notAfter`:
   * monotonic ms after which nobody waits for them.
   */
  read(notAfter: number, done: (read: ReadResult, raw: Uint8Array) => void): boolean {
    const { driver, tag, clock, port } = this.#options;
    const raw = new Uint8Array(driver.rawBytes(tag));
    const at = clock.now();
    if (this.state.facts.broadcast) {
      done({ value: NaN, state: BAD.broadcast, at }, raw);
      return true;
    }
    return port.read(tag, raw, notAfter, (result) => {
      const value = result === DONE ? driver.decode(tag, raw) : NaN;
      done({ value, state: result === DONE ? GOOD : result, at }, raw);
    });
  }

  /** Why a command would be refused once it is armed, or null: nobody arms for what cannot be. */
  foresee(command: Command): Refusal | null {
    const now = this.#options.clock.now();
    if (this.retired) return refuse("changing", { tag: this.id });
    this.#permits(now);
    const verdict = decide(command, this.policy, this.known(), now);
    return verdict.admit || verdict.code === "not-armed" ? null : verdict;
  }

  /** A command for this tag, from whoever. `answer` is called exactly once. */
  take(command: Command, answer: Answer): void {
    const now = this.#options.clock.now();
    if (this.retired) return this.#refuse(command, refuse("changing", { tag: this.id }), answer);
    this.#permits(now);
    const verdict = decide(command, this.policy, this.known(), now);
    if (!verdict.admit) return this.#refuse(command, verdict, answer);
    this.state.begin(command);
    const { notAfter } = verdict;
    const one: UnderWay = { command, answer, notAfter, admitted: null };
    this.#underWay = one;
    const asked = this.read(notAfter, (read, raw) => this.#wasRead(one, read, raw));
    if (!asked) this.#withdraw(command, refuse("busy", { tag: this.id }), answer);
  }

  #wasRead(one: UnderWay, read: ReadResult, raw: Uint8Array): void {
    if (this.#underWay !== one) return;
    const { command, answer } = one;
    const now = this.#options.clock.now();
    this.state.wasRead(read);
    this.#permits(now);
    const verdict = decide(command, this.policy, this.known(), now);
    if (!verdict.admit) return this.#withdraw(command, verdict, answer);
    if (isProve(command.origin) && !this.#isWordForWord(verdict.bytes, raw)) {
      return this.#withdraw(command, refuse("does-not-fit", { tag: this.id,
        value: verdict.means, why: `it reads ${raw.toHex()}, and ${verdict.bytes.toHex()} would ` +
          "be written" }), answer);
    }
    this.#options.audit.intent(command, verdict, this.state, (trouble) => {
      if (trouble === null) this.#send(one, verdict);
      else this.#withdraw(command, refuse("audit-unavailable", { why: trouble }), answer);
    });
  }

  /**
   * A proof writes what stands there, down to what the value does not show: the other half of an
   * int8's register. Of a bool's the frame touches the one bit, and its two values tell all.
   */
  #isWordForWord(bytes: Uint8Array, raw: Uint8Array): boolean {
    return this.state.facts.type === "bool" || Buffer.compare(bytes, raw) === 0;
  }

  #send(one: UnderWay, admitted: Admitted): void {
    const { box, port, tag, clock } = this.#options;
    const { command, answer } = one;
    one.admitted = admitted;
    this.state.intend(admitted, box.day);
    if (isRule(command.origin)) this.#loss.alive(this.#options.clock.now());
    let refusal: Refusal | null = null;
    const guard = {
      arming: admitted.arming,
      notAfter: admitted.notAfter,
      streams: this.#streams,
      // W11: everything that can have changed, now.
      last: (now: number, answer_ms = 0): number | null => {
        if (this.#underWay !== one) return null;
        this.#observe(now, clock.time());
        this.#permits(now);
        refusal = lastLook(command, admitted, this.policy, this.known(), now, answer_ms);
        if (refusal !== null) return null;
        this.onTheWire = true;
        this.state.leave(now);
        return permitsUntil(command, this.policy, this.state.permits);
      },
    };
    const done: JobDone = (result, exception, sent, leftAt, frame) => {
      if (this.#underWay !== one) return;
      this.onTheWire = false;
      if (sent) this.state.answered(clock.now(), leftAt);
      this.#frame = frame;
      if (refusal !== null) {
        return this.#finish(command, refusedOutcome(refusal.code), refusal, answer);
      }
      if (this.state.facts.broadcast) {
        return this.#finish(command, broadcastOutcome(sent), null, answer,
          sent ? admitted.means : null);
      }
      const rejected = this.#options.driver.rejects(exception);
      const outcome = wireOutcome(sent, result === DONE, exception, rejected);
      if (outcome.outcome !== "acknowledged") this.#finish(command, outcome, null, answer);
      else this.#readBack(command, admitted, answer);
    };
    if (port.write(tag, admitted.bytes, guard, done)) return;
    this.onTheWire = false;
    this.#finish(command, refusedOutcome("busy"), null, answer);
  }

  #readBack(command: Command, admitted: Admitted, answer: Answer): void {
    const now = this.#options.clock.now();
    const until = Math.max(command.notAfter, now + limits.read_back_ms_min);
    const asked = this.read(until, (read) => {
      const outcome = readBackOutcome(this.state.facts, admitted.means, read);
      this.#finish(command, outcome, null, answer, admitted.means);
    });
    if (asked) return;
    const nothing = { value: NaN, state: 255, at: 0 };
    const outcome = readBackOutcome(this.state.facts, admitted.means, nothing);
    this.#finish(command, outcome, null, answer, admitted.means);
  }

  #finish(
    command: Command, outcome: Outcome, refusal: Refusal | null, answer: Answer,
    means: Written | null = null,
  ): void {
    const now = this.#options.clock.now();
    const sent = this.state.phase === "sent" && outcome.outcome !== "refused"
      ? this.state.leftAt : null;
    this.state.finish(outcome, now);
    this.#underWay = null;
    this.#options.audit.outcome(command, outcome, refusal?.sentence ?? null, sent, this.#frame);
    this.#frame = null;
    this.#remember(command, outcome.outcome, outcome.code, refusal?.sentence ?? "");
    if (outcome.outcome === "unknown") {
      this.#options.log.warn("gate", `${this.id}: outcome unknown`, { code: outcome.code });
    }
    answer(outcome, refusal, means);
    this.#options.wake();
  }

  /** A refusal after the tag was taken, and before there is an intent. */
  #withdraw(command: Command, refusal: Refusal, answer: Answer): void {
    this.state.finish(refusedOutcome(refusal.code), this.#options.clock.now());
    this.#underWay = null;
    this.#refuse(command, refusal, answer);
  }

  #refuse(command: Command, refusal: Refusal, answer: Answer): void {
    const outcome = refusedOutcome(refusal.code);
    if (isOnLoss(command.origin)) {
      this.#options.audit.outcome(command, outcome, refusal.sentence, null, null);
    }
    if (isRule(command.origin)) this.#loss.refused(refusal.code, this.#options.clock.now());
    this.#options.audit.refused(command, refusal);
    this.#remember(command, "refused", refusal.code, refusal.sentence);
    answer(outcome, refusal, null);
  }

  #remember(command: Command, outcome: string, code: string | null, sentence: string): void {
    const { id, origin, value } = command;
    const time = this.#options.clock.time();
    this.last = { id, origin, value, outcome, code, sentence, time };
  }

  /** What the gate decides by, as of now. */
  known(): { box: Box; tag: TagState } {
    if (this.state.facts.broadcast) this.state.leftAlone = this.#options.leftAlone();
    return { box: this.#options.box, tag: this.state };
  }

  /** W12: the conditions are worked out at the moment they are looked at. */
  #permits(now: number): void {
    const { permit, clock } = this.#options;
    if (permit === null) return;
    const time = clock.time();
    permit.stage.run(0, 1, now, time);
    const { ring } = permit;
    const seq = (ring.head - 1) | 0;
    const row = seq & ring.mask;
    const { F, U } = ring.arena;
    const oldest = ring.column("$oldest")!;
    const at = now - (time - F[oldest.payload + row]!);
    this.state.permits = this.policy.permit.map((condition, i): PermitCell => {
      const column = ring.column(`c${i}`)!;
      return {
        condition, value: F[column.payload + row] === 1, state: U[column.state + row]!, at,
        overridden: permit.reads[i]!.some((tag) => this.#options.isOverridden(tag)),
      };
    });
  }

  #followLink(): void {
    const { port, tag } = this.#options;
    this.state.linkUp = port.open;
    const { peer } = port;
    if (peer === this.#peer) return;
    this.#peer = peer;
    const { at, type, wordOrder, scale, offset } = tag;
    const path = { peer, station: tag.station, at, type, wordOrder, scale, offset };
    this.state.hash = peer === "" ? null : pathHash(path);
  }

  /** W15, W16: an ordinary poll settles an unknown outcome, or shows a change from outside. */
  #observe(now: number, time: number): void {
    const { ring, log } = this.#options;
    if (ring.head === this.#seen) return;
    this.#seen = ring.head;
    const seq = (ring.head - 1) | 0;
    const row = seq & ring.mask;
    const state = ring.arena.U[this.#column.state + row]!;
    const lag = this.port.lag_ms?.(ring.name) ?? 0;
    const at = now - (time - ring.arena.F[ring.timeAt + row]!) - lag;
    const cell = readCell(ring, this.#column, seq);
    const value = typeof cell === "string" ? cell : Number(cell);
    const observed = this.state.observe({ value, state, at });
    if (observed === "nothing") return;
    log.warn("gate", `${this.id}: ${observed}`);
  }

  #lose(loss: NonNullable<ReturnType<LossWatch["due"]>>, now: number): void {
    const arming = this.state.arming!;
    if (loss.value !== null && this.state.busy !== null) return;
    this.#loss.done(arming);
    const why = lossText(loss);
    this.#options.log.warn("gate", `${this.id}: onLoss`, { why, value: loss.value ?? "hold" });
    if (loss.value === null) return this.end(why);
    const command = onLossCommand(this.id, loss.value, arming.number, now, now + on_loss_within_ms);
    this.#reserved = null;
    this.take(command, () => this.end(why));
  }
}
