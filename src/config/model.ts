import type { Schedule } from "../base.ts";
import type { ColumnSpec, TagType } from "../ring.ts";
import type { Tag } from "./tag.ts";

/**
 * The configuration after `load`: defaults filled in, name patterns expanded, types applied,
 * durations in ms, secrets resolved, everything cross-checked. Plain data but for its tags: it
 * travels to workers (`runtime/travel.ts`).
 */
export interface Gateway {
  /** Its links lead to a simulation (W25). */
  readonly simulated?: true;
  readonly id: string;
  readonly profile: Profile;
  readonly links: readonly Link[];
  readonly devices: readonly Device[];
  readonly sources: readonly Source[];
  readonly tables: readonly TableConfig[];
  readonly models: readonly ModelConfig[];
  readonly functions: readonly FunctionConfig[];
  readonly rules: readonly Rule[];
  readonly sinks: readonly SinkConfig[];
  readonly policy: Policy;
  readonly commands: { readonly link: string; readonly topic: string } | null;
  readonly api: { readonly listen: string; readonly port: number; readonly token: string | null };
  readonly store: {
    readonly directory: string;
    readonly maxMB: number;
    readonly stateMB: number;
    /** ms between two checkpoints. */
    readonly checkpoint: number;
  };
  /** SHA-256 (hex) of the configuration's and of the policy's text. */
  readonly configHash: string;
  readonly policyHash: string;
}

export interface Profile {
  readonly name: string;
  readonly title: string;
  readonly target: "linux-x64" | "linux-arm64" | "linux-arm64-musl" | "any";
  /** MB (2^20) that Tagwerk may plan for in all. */
  readonly memoryMB: number;
  readonly threads: 1 | 3;
  readonly clock: "synced" | "trusted";
  /** Watchdog device fed from the turn, or null. */
  readonly watchdog: string | null;
  /** By the name that a link's `port` uses. */
  readonly serialPorts: Readonly<Record<string, SerialPort>>;
  /** Bounds lowered by this profile, by their name in `base/limits`. */
  readonly limits: Readonly<Record<string, number>>;
  /** Date of a run on the board itself, or null. */
  readonly verifiedOn: string | null;
  /** What is known and what is not, for `check` and the manual. */
  readonly note?: string;
}

export interface SerialPort {
  readonly path: string;
  /** Who switches the direction on this board; null = not known, or no RS-485. */
  readonly rs485: "kernel" | "adapter" | null;
  /** What a link of this port has unless it says otherwise, as the link's settings spell it. */
  readonly line?: Readonly<Record<string, string>>;
  readonly note?: string;
}

export interface Link {
  readonly name: string;
  readonly type: string;
  /** As the component's own schema parsed it (defaults filled in). */
  readonly settings: Readonly<Record<string, unknown>>;
  /** A simulation keeps this link closed: nothing stands for it (W25). */
  readonly closed?: boolean;
}

export interface Device {
  readonly name: string;
  readonly link: string;
  readonly station: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Tags polled together; each is the stream `device.group`. */
  readonly groups: readonly Group[];
}

export interface Group {
  readonly name: string;
  /** ms, start to start. */
  readonly interval: number;
  readonly tags: readonly Tag[];
  readonly statics: readonly StaticTag[];
}

/** A constant that stands in each row of its group. */
export interface StaticTag {
  /** `device.tag` */
  readonly id: string;
  readonly name: string;
  readonly type: TagType;
  readonly value: number | boolean | string;
  readonly eu: string | null;
}

/** A tag as its link's driver sees it, its device's defaults filled in. */
export interface TagOnLink {
  /** `device.tag` */
  readonly id: string;
  readonly station: number;
  readonly at: string;
  readonly type: TagType;
  readonly scale: number;
  readonly offset: number;
  /** That a value read is rounded to; null = none are cut. */
  readonly decimals: number | null;
  /** Raw numbers of 4 and 20 mA, of a tag that is such a signal. */
  readonly signal: readonly [number, number] | null;
  readonly wordOrder: "ABCD" | "CDAB" | "BADC" | "DCBA";
  readonly writable: boolean;
  /** Of its value in its group's ring. */
  readonly column: number;
}

export interface Source {
  readonly name: string;
  readonly type: string;
  readonly link: string | null;
  readonly columns: readonly ColumnSpec[];
  /** A simulation asks no service for it (W25). */
  readonly closed?: boolean;
  /** Without declared columns: bytes of a value and of a whole message. */
  readonly open: { readonly value_bytes: number; readonly message_bytes: number } | null;
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface TableConfig {
  readonly name: string;
  readonly type: string;
  readonly columns: readonly { readonly name: string; readonly type: TagType }[];
  /** The column that rows are asked for by; null: it is read as a whole. */
  readonly key: string | null;
  /** A row is good for so long after the table has said it, ms. */
  readonly ttl: number;
  /** Rows kept. */
  readonly capacity: number;
  /** ms for an answer. */
  readonly deadline: number;
  /** What a row gets when the table cannot say. */
  readonly onError:
    | { readonly kind: "stale"; readonly ms: number }
    | { readonly kind: "null" } | { readonly kind: "hold" };
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface ModelConfig {
  readonly name: string;
  /** Absolute path. */
  readonly file: string;
  /** Bytes. */
  readonly memory: number;
  /** ms */
  readonly deadline: number;
}

/** A named SQL expression. */
export interface FunctionConfig {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly sql: string;
}

export interface Rule {
  readonly name: string;
  readonly sql: string;
  /** null: the rule goes by engine time. */
  readonly eventTime: EventTimeConfig | null;
  /** A window without a row gives one of NULLs; `"[]"`: an empty list. */
  readonly emptyWindows: boolean | "[]";
  /** What failed is told in a column `error`, and as rows. */
  readonly sendError: boolean;
  readonly to: readonly RuleTarget[];
  /** Null = it runs from start to stop. */
  readonly schedule: Schedule | null;
  readonly restart: RestartStrategy;
}

/** What becomes of a rule whose stage throws: it begins again, later each time. */
export interface RestartStrategy {
  /** Then it stays failed; 0 = without end. */
  readonly attempts: number;
  /** ms before the first, doubled for each. */
  readonly delay: number;
  /** ms at most. */
  readonly most: number;
}

export interface EventTimeConfig {
  /** ms that a row may come later than the newest one. */
  readonly lateTolerance: number;
  /** ms without a row after which event time goes on by the clock; null = it waits. */
  readonly idleTimeout: number | null;
  /** ms that a row's time may be ahead of the gateway's. */
  readonly maxAhead: number;
  /** Rows that may wait; null = by the declared rate. */
  readonly rows: number | null;
}

export type RuleTarget =
  | { readonly kind: "sink"; readonly sink: string }
  | { readonly kind: "write"; readonly tag: string; readonly from: string };

/** How far a value may go from the one that was told last without being told. */
export interface Deadband {
  /** In the value's unit, or percent of the value told last. */
  readonly band: number;
  readonly percent: boolean;
}

export interface OnChange {
  /** By column. */
  readonly deadbands: Readonly<Record<string, Deadband>>;
  /** Of each other number; null = none. */
  readonly every: Deadband | null;
  /** ms after which a row is told even if it says nothing new; null = never. */
  readonly atLeast: number | null;
}

export interface SinkConfig {
  readonly name: string;
  readonly type: string;
  readonly link: string | null;
  /** A window without rows is not told. */
  readonly omitIfEmpty: boolean;
  /** Rows that say nothing new are not told; null: each row is. */
  readonly onChange: OnChange | null;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Who may write what (docs/writing-rules.md); by tag id. */
export type Policy = Readonly<Record<string, TagPolicy>>;

export interface TagPolicy {
  /** `rule:NAME`, `rest`, `mqtt`, `cli`, `prove` */
  readonly allow: readonly string[];
  readonly maxMode: "off" | "shadow" | "armed";
  /** Engineering units; of a tag with texts nothing lies between them. */
  readonly min: number;
  readonly max: number;
  /** What a tag of texts may be set to; null = it has numbers. */
  readonly texts: AllowedTexts | null;
  readonly outside: "reject" | "clamp";
  /** Engineering units from the value read for this command; null = any. */
  readonly maxStep: number | null;
  readonly deadband: number;
  /** ms */
  readonly minInterval: number;
  readonly writesPerDay: number;
  /** ms */
  readonly inputMaxAge: number;
  /** SQL conditions, all of which must be TRUE and good. */
  readonly permit: readonly string[];
  /** Oldest a permit's value may be, ms. */
  readonly maxAge: number;
  readonly onLoss: OnLoss | null;
  /** "none": it is known that nothing is read before or after a write; of a broadcast. */
  readonly readBack: "none" | null;
}

/** One of `values`, or all of what the regular expression (RE2) `pattern` matches as a whole. */
export type AllowedTexts = { readonly values: readonly string[] } | { readonly pattern: string };

export interface OnLoss {
  /** ms without a command that was admitted or withheld only by deadband or interval. */
  readonly after: number;
  readonly value: "hold" | number;
  /** `any` lifts the maximal step for this one command. */
  readonly step: "limited" | "any";
}

/** One thing wrong with a configuration, as `check` prints it. */
export interface Problem {
  /** The file, if it is not the configuration itself: the policy, a type's CSV. */
  readonly file?: string;
  /** `devices.press.tags.temperature.type` */
  readonly path: string;
  /** 1-based place in the file, where known. */
  readonly line: number | null;
  readonly column: number | null;
  /** What stands there, as JSON text (shortened), or null if it is missing. */
  readonly value: string | null;
  /** Of a query: its line and below it a mark under the place, in the stead of the value. */
  readonly caret?: string;
  /** One sentence: what is wrong and what would be right. */
  readonly message: string;
  /** The known name that was probably meant. */
  readonly nearest: string | null;
}
