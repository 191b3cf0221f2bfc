import type { Category, Written } from "../ring.ts";
import type { DurabilityStatus } from "./durability.ts";
import type { Forecast } from "./forecast.ts";
import type { TableCounters } from "./lookup.ts";

/**
 * What the API and the command line see of a running Tagwerk: plain data that becomes JSON as it
 * is. Everything is asked for through promises, since roles may live on other threads.
 */
export interface Runtime {
  health(): Promise<Health>;
  links(): Promise<LinkView[]>;
  frames(link: string, after: number): Promise<FrameView[]>;
  devices(): Promise<DeviceView[]>;
  /** A Fault `unknown-device` if there is none. */
  device(name: string): Promise<DeviceView>;
  streams(): Promise<StreamView[]>;
  /**
   * Newest row of a stream; null if there is none yet; a Fault `unknown-stream` if no such stream.
   */
  latest(stream: string): Promise<RowView | null>;
  rules(): Promise<RuleView[]>;
  /** Starts, stops, restarts or resets one rule. */
  rule(order: RuleOrder): Promise<void>;
  /** Leaves a device alone, or asks it again; forces a tag's value, or ends that. */
  override(order: OverrideOrder): Promise<void>;
  tables(): Promise<TableView[]>;
  /** Plan, bytes and generated code, as text. */
  explain(rule: string): Promise<string>;
  tag(id: string): Promise<TagView>;
  why(tag: string): Promise<WhyView>;
  write(request: WriteRequest): Promise<WriteAnswer>;
  /**
   * Reads the tag and shows its raw words in every byte order (W2). `value`: of a broadcast, which
   * cannot be read, what a person means to write.
   */
  proof(tag: string, value: Written | null): Promise<ProofView>;
  arm(request: ArmRequest): Promise<{ tag: string; number: number; until: number }>;
  prove(request: ProveRequest): Promise<WriteAnswer>;
  /** Newest proof by writing of each tag that has one. */
  proved(): Promise<ProvedView[]>;
  disarm(request: DisarmRequest): Promise<DisarmAnswer>;
  /** Alarms of the rules, each key by itself. */
  alarms(): Promise<AlarmView[]>;
  /** An operator acknowledges an alarm, or puts it on or off the shelf. */
  operate(request: OperateRequest): Promise<AlarmView>;
  audit(query: AuditQuery): Promise<Record<string, unknown>[]>;
  /** Deletes old rows of the audit for a while; `done`: there are no more of them. */
  prune(request: PruneRequest): Promise<{ rows: number; done: boolean }>;
  /** A rule as it would run, which writes nothing anywhere. */
  try(request: TryRequest): Promise<TryAnswer>;
  /** What another configuration would do to what runs. */
  plan(request: PlanRequest): Promise<Forecast>;
  /** Changes to it while everything else goes on. */
  apply(request: ApplyRequest): Promise<ChangeAnswer>;
  /** An applied change stays, or is taken back. */
  confirm(request: ConfirmRequest): Promise<void>;
  /** Orderly stop: onLoss, sinks drained, store closed. */
  stop(): Promise<void>;
}

/** The texts that make a configuration: the file and, if it stands in its own, the policy. */
export interface ConfigTexts {
  readonly config: string;
  /** Empty: it stands in the configuration, or there is none. */
  readonly policy: string;
}

export interface PlanRequest {
  readonly texts: ConfigTexts;
  /** What problems call the file; null = as the one that runs. */
  readonly name: string | null;
}

export interface ApplyRequest extends PlanRequest {
  readonly by: string;
  /** Goes back after so long without `confirm`; null = it stays. */
  readonly confirm_ms: number | null;
}

export interface ChangeAnswer {
  readonly forecast: Forecast;
  readonly unconfirmed: Unconfirmed | null;
}

export interface ConfirmRequest {
  readonly by: string;
  /** Takes it back instead, now. */
  readonly back?: boolean;
}

export interface Unconfirmed {
  readonly by: string;
  /** Engine time at which it is taken back. */
  readonly until: number;
  /** Hash of the configuration that is gone back to. */
  readonly before: string;
}

export interface AlarmView {
  /** `NAME` or `NAME.KEY` */
  readonly alarm: string;
  readonly rule: string;
  /** `normal`, `unacknowledged`, `acknowledged`, `returned`, `shelved` (ISA-18.2) */
  readonly state: string;
  /** Engine time of its last change, beneath a shelf too; 0 = there was none yet. */
  readonly since: number;
  readonly shelvedUntil: number | null;
}

export interface AlarmAct {
  /** `NAME` or `NAME.KEY` */
  readonly alarm: string;
  readonly act: "ack" | "shelve" | "unshelve";
  /** Of `shelve`. */
  readonly for_ms: number;
}

export interface OperateRequest extends AlarmAct {
  readonly by: string;
  readonly origin: "cli" | "rest";
  readonly from: string;
}

export interface Health {
  /** `ok`, `degraded` (something is down), `safe-mode`, `config-rejected` */
  readonly status: "ok" | "degraded" | "safe-mode" | "config-rejected";
  readonly gateway: string;
  /** Its links lead to a simulation (W25). */
  readonly simulated: boolean;
  readonly profile: string;
  readonly version: string;
  readonly uptime_ms: number;
  readonly epoch: number;
  readonly configHash: string;
  readonly policyHash: string;
  /** Since the last start: did either hash change? */
  readonly configChanged: boolean;
  readonly writing: { readonly latched: boolean; readonly armed: readonly string[];
    readonly audit: "ok" | "unavailable" };
  readonly clockSynced: boolean;
  /** Rows of now bear a time that is known to be that of the world. */
  readonly timeCertain: boolean;
  readonly clockSteps: number;
  /** `link plc-1: no connection in time` … */
  readonly troubles: readonly string[];
  /**
   * Rows lost since the start, by where: `sink plant of hold`, `bridge press.fast`, `audit`; and
   * `commands`: messages of the command topic that were dropped.
   */
  readonly lost: Readonly<Record<string, number>>;
  /** Checkpoints and journal; null where no rule keeps anything. */
  readonly state: DurabilityStatus | null;
  readonly memory: { readonly rss: number; readonly planned: number; readonly budget: number };
  /** A change that is taken back by itself unless somebody confirms it. */
  readonly unconfirmed: Unconfirmed | null;
  /** Turns taken and longest turn, ms. */
  readonly turns: number;
  readonly turn_ms_max: number;
  /** Turns of each role by their length: up to 1, 2, 5, 10, 20, 50, 100, 200, 500 ms, longer. */
  readonly turn_lengths: Readonly<Record<string, readonly number[]>>;
}

export interface LinkView {
  readonly name: string;
  readonly type: string;
  readonly state: string;
  readonly reason: string;
  readonly since_ms: number;
  readonly peer: string;
  readonly opens: number;
  readonly counters: Readonly<Record<string, number>>;
  /**
   * Of messages: why the newest one was dropped, or could not be sent. Of equipment: what it said
   * when it last refused something as a whole, or to the gate.
   */
  readonly lastError?: string;
  /** What the device says of each tag that it refuses, by the tag's id. */
  readonly refusals?: Readonly<Record<string, string>>;
  readonly polls: readonly PollView[];
  readonly stations: readonly StationView[];
}

export interface StationView {
  readonly station: number;
  /** In a row. */
  readonly failures: number;
  readonly paused: boolean;
  readonly reason: string;
  /** Of the last exchange (NE 107); null = there was none. */
  readonly category: Category | null;
  /** The code of a last exchange that was refused, 0 = it was not. */
  readonly exception: number;
  /** What to try where the last exchange failed; empty = nothing, or nothing that is known. */
  readonly advice: string;
  readonly lastGood_ms: number | null;
  /** Since the link began: exchanges, those again after a failure, and those that failed. */
  readonly requests: number;
  readonly retries: number;
  readonly timeouts: number;
  readonly garbled: number;
  readonly exceptions: number;
  /** From request to answer, to some 9 %; null = there was none. */
  readonly roundTrip_ms: { readonly p50: number | null; readonly p99: number | null };
}

export interface LinkStationView extends StationView {
  readonly link: string;
}

/** Bytes that passed on a link's medium in one piece. */
export interface FrameView {
  /** Counts the pieces of a link. */
  readonly n: number;
  /** Engine time, ms since the epoch. */
  readonly time: number;
  readonly dir: "tx" | "rx";
  readonly hex: string;
  /** In words, if it is a whole frame. */
  readonly text: string | null;
}

export interface PollView {
  readonly stream: string;
  readonly interval_ms: number;
  readonly polls: number;
  readonly failed: number;
  readonly missed: number;
  /** Scheduled start of the newest poll, monotonic ms: all starts lie on this grid. */
  readonly started_ms: number;
  /** What the device has not, by its own word: such a tag is asked for again later. */
  readonly refused: readonly string[];
}

export interface DeviceView {
  readonly name: string;
  readonly link: string;
  readonly station: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: string;
  readonly tags: readonly TagView[];
}

/** Arrays and objects are what they are in JSON. */
export type ShownValue = number | string | boolean | null | readonly ShownValue[] |
  { readonly [name: string]: ShownValue };

export interface TagView {
  readonly id: string;
  readonly at: string;
  readonly type: string;
  readonly group: string;
  readonly eu: string | null;
  readonly access: "read" | "read-write";
  /** int64 as text. */
  readonly value: ShownValue;
  /** `good`, `bad:timeout` … */
  readonly quality: string;
  /** Of the quality (NE 107); null = it tells of something else than a device. */
  readonly category: Category | null;
  /** Engine time of the row, ms since the epoch; null if nothing was read yet. */
  readonly time: number | null;
  readonly age_ms: number | null;
  /** Of its row, as those of `RowView`. */
  readonly flags?: readonly string[];
}

export interface StreamView {
  readonly name: string;
  readonly from: "group" | "history" | "source" | "table" | "rule";
  readonly columns: readonly {
    readonly name: string; readonly kind: string; readonly eu: string | null;
  }[];
  readonly rows: number;
  readonly capacity: number;
  readonly interval_ms: number | null;
  /** Where its rows come from, if that is a source: of one with a link all that this carries. */
  readonly source: SourceView | null;
}

export interface SourceView {
  /** `open`, `connecting`, `down`; `closed` in safe mode and in a simulation. */
  readonly state: string;
  readonly reason: string;
  readonly received: number;
  /** Messages, lines or answers that made no row; why the last of them. */
  readonly dropped: number;
  readonly errors: number;
  readonly lastError: string;
}

export interface RowView {
  readonly stream: string;
  readonly sequence: number;
  readonly time: number;
  readonly values: Readonly<Record<string, ShownValue>>;
  /** Only the cells that are not good. */
  readonly quality: Readonly<Record<string, string>>;
  /** Of the whole row: `time-uncertain`, `backfill`, `doubtful` and others; or absent. */
  readonly flags?: readonly string[];
}

/** What a person puts over the readings of a device (`overrides.ts`). */
export type OverrideOrder =
  | { readonly kind: "disable" | "enable"; readonly device: string; readonly by: string }
  | { readonly kind: "force"; readonly tag: string; readonly value: number | boolean | string;
      readonly for_ms: number; readonly by: string }
  | { readonly kind: "unforce"; readonly tag: string; readonly by: string };

export const ruleOrders = ["start", "stop", "restart", "reset"] as const;

export interface RuleOrder {
  readonly rule: string;
  /** `reset` forgets its state; the others keep it. */
  readonly order: (typeof ruleOrders)[number];
  readonly by: string;
}

export interface RuleView {
  readonly name: string;
  readonly sql: string;
  /** `running`, `failed`, `stopped`, `waiting` (for its schedule), `off` (could not be started). */
  readonly state: string;
  readonly reason: string;
  readonly rows_in: number;
  readonly rows_out: number;
  readonly errors: number;
  readonly lost: number;
  /** Groups of a GROUP BY that gave way to others (`EVICT OLDEST`), with all that they had. */
  readonly evicted: number;
  /** Rows left out because they came too late for event time. */
  readonly late: number;
  /** Rows that event time had no room for: they could not wait for those before them. */
  readonly early: number;
  readonly failures: number;
  readonly targets: readonly string[];
}

export interface TryRequest {
  readonly sql: string;
  /** By stream; null = those that come. `$time` of a row: ms since the epoch, or ISO 8601. */
  readonly rows: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> | null;
  /** ms between two given rows of a stream that do not say. */
  readonly every_ms: number;
  /** ms that live rows are waited for. */
  readonly for_ms: number;
  /** Rows of the answer at most. */
  readonly limit: number;
}

export interface TryAnswer {
  readonly columns: StreamView["columns"];
  readonly rows: readonly RowView[];
  readonly rows_in: number;
  readonly errors: number;
  readonly dropped: number;
  /** Why it ended there. */
  readonly ended: string;
}

export interface WhyView {
  readonly tag: TagView;
  readonly device: string;
  readonly link: LinkView;
  /** Newest complete poll, ms ago; null = none yet. */
  readonly lastFrame_ms: number | null;
  readonly reason: string;
  /** Rules that read it, also through another rule. */
  readonly rules: readonly string[];
  /** Rules that write it, with the column. */
  readonly writers: readonly string[];
  /** Why no rule runs and nothing is written, or null. */
  readonly off: string | null;
  /** Last decision of the gate on this tag, or null. */
  readonly gate: Readonly<Record<string, unknown>> | null;
  readonly configHash: string;
  readonly policyHash: string;
  readonly configChanged: boolean;
}

/** A table that rows are looked up in; where two roles use it, each has its own. */
export interface TableView {
  readonly name: string;
  readonly type: string;
  /** `open` if it has answered since the last failure, or was not asked yet. */
  readonly state: "open" | "down";
  readonly reason: string;
  /** Rows known now, and at most. */
  readonly known: number;
  readonly capacity: number;
  readonly counters: TableCounters;
}

/** From REST, MQTT or the command line; the gate checks everything. */
export interface WriteRequest {
  readonly origin: "rest" | "mqtt" | "cli";
  /** Who: token name, MQTT topic, user of the socket. */
  readonly by: string;
  /** Address the request came from. */
  readonly from: string;
  /** The body as it came (parsed JSON). */
  readonly body: unknown;
  /** Why there is no body that could be read. */
  readonly problem?: string;
  /** What the transport found out of the caller; true if it says nothing. */
  readonly authenticated?: boolean;
  readonly authorised?: boolean;
  readonly retained?: boolean;
  readonly duplicate?: boolean;
}

export interface WriteAnswer {
  readonly id: string | null;
  readonly tag: string | null;
  readonly outcome: "verified" | "acknowledged" | "refused" | "rejected" | "unknown";
  /** Refusal code or exception; null if verified. */
  readonly code: string | null;
  /** One sentence. */
  readonly text: string;
  /** What the raw words mean, if something was sent. */
  readonly value: Written | null;
  readonly readBack: Written | null;
}

export interface ProofView {
  readonly tag: string;
  readonly hash: string;
  readonly peer: string;
  /** Empty, and no value: it is a broadcast, which cannot be read. */
  readonly raw: string;
  readonly value: Written | null;
  readonly eu: string | null;
  /** Value in each byte order, by its name; of a text none. */
  readonly orders: Readonly<Record<string, Written>>;
  /** What is shown of a broadcast instead; null = it is none. */
  readonly broadcast: BroadcastView | null;
}

/** Nobody answers a broadcast: this is what it would be, and whom it is known to reach. */
export interface BroadcastView {
  readonly at: string;
  readonly type: string;
  /** What the value that was asked for will mean, and the bytes that leave, in hexadecimal. */
  readonly means: Written;
  readonly frame: string;
  /** Of the link, as far as the configuration knows; others may obey too. */
  readonly stations: readonly { readonly station: number; readonly devices: readonly string[] }[];
  /** Their tags at the same registers, as they read now. */
  readonly reaches: readonly {
    readonly tag: string; readonly station: number; readonly value: Written | null;
    readonly eu: string | null; readonly quality: string;
  }[];
}

export interface ArmRequest {
  readonly tag: string;
  readonly for_ms: number;
  readonly by: string;
  /** Hash of the proof that was shown and agreed to. */
  readonly proof: string;
}

/** A proof by writing (`prove`), over the unix socket only. */
export interface ProveRequest {
  /** Never used before, as of any command. */
  readonly id: string;
  readonly tag: string;
  readonly by: string;
  /** Hash of the proof that was shown and agreed to. */
  readonly proof: string;
}

/** A tag's newest proof by writing. */
export interface ProvedView {
  readonly tag: string;
  readonly who: string;
  /** Engine time, ms since the epoch. */
  readonly time: number;
  readonly outcome: string;
  readonly code: string | null;
  readonly readBack: Written | null;
  /** The tag lies where it was proved; null = its link is not open, so nobody can tell. */
  readonly present: boolean | null;
}

export interface DisarmRequest {
  readonly by: string;
  readonly origin: "cli" | "rest" | "mqtt";
  /** Address the request came from. */
  readonly from: string;
  /** Lifts the latch instead (W4); only over the unix socket. */
  readonly clear?: boolean;
}

export interface DisarmAnswer {
  readonly latched: boolean;
  /** Directory of the store that is latched: whoever asked can see that it is the one meant. */
  readonly store: string;
  /** Nothing can leave all the same: why the latch will not outlast a restart, or null. */
  readonly trouble: string | null;
}

export interface PruneRequest {
  /** ms since the epoch; today's rows stay. */
  readonly before: number;
  readonly by: string;
}

export interface AuditQuery {
  readonly tag?: string;
  readonly limit?: number;
  readonly since?: number;
}
