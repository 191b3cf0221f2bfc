import type { Arena, Block, ColumnSpec, Ring, RingLayout } from "../ring.ts";
import type { Beginning, Param, StateLayout } from "./emit/params.ts";
import type { Span } from "./fault.ts";
import type { AlarmPlan } from "./stateful/alarms.ts";

/**
 * A compiled rule: plain data. Stages run in order; each reads the ring that the one before wrote.
 */
export interface Program {
  readonly sql: string;
  readonly inputs: readonly InputPlan[];
  /** Columns of the ring that several streams are gathered in; null = there is one stream. */
  readonly gather: readonly ColumnSpec[] | null;
  readonly newest: readonly NewestPlan[];
  /** Columns of the last stage's ring. */
  readonly output: readonly ColumnSpec[];
  readonly stages: readonly StagePlan[];
  /** Names of the models that `infer` calls. */
  readonly models: readonly string[];
  /** Names of the tables that rows are looked up in. */
  readonly tables: readonly string[];
  /** What may not stand on the way to a write (W8), and why; empty for most rules. */
  readonly unsafe: readonly Unsafe[];
  /** WHERE, FILTER or HAVING may leave rows out. */
  readonly selective: boolean;
  /** Rows out come of single rows: they carry the source times of those. */
  readonly rowwise: boolean;
  /** Of each stage. */
  readonly memory: readonly MemoryLine[];
  readonly sources: SourcesPlan;
  /** Its window, if rules with an equal one may share it. */
  readonly shared: SharedWindow | null;
}

export interface SharedWindow {
  /** So many stages, of which the window is the last. */
  readonly stages: number;
  /** Equal for equal ones over equal streams. */
  readonly key: string;
}

/** Something of a query that may not stand on the way to a write. */
export interface Unsafe {
  readonly sentence: string;
  readonly span: Span;
}

/** Names of input columns and of `newest` tags that something is worked out from. */
export interface SourcesPlan {
  /** What decides that there is a row: WHERE, FILTER, HAVING, GROUP BY. */
  readonly row: readonly string[];
  /** By column of the output. */
  readonly columns: Readonly<Record<string, readonly string[]>>;
  /** By column of the output that is a controller: what it follows, and nothing else reads. */
  readonly followed: Readonly<Record<string, string>>;
}

export interface InputPlan {
  /** What `$from` says of its rows where streams are joined. */
  readonly index: number;
  readonly alias: string;
  readonly streams: readonly string[];
  /** Several streams seen as one, with a `device` column. */
  readonly fanIn: boolean;
  /** The columns that the rule needs. */
  readonly columns: readonly ColumnSpec[];
}

/** The newest row of a stream is read, never waited for. */
export interface NewestPlan {
  /** `device.tag` */
  readonly tag: string;
  readonly stream: string;
  readonly column: string;
  /** Interval of its group, ms; null = never old. */
  readonly pollMs: number | null;
}

export interface MemoryLine {
  readonly owner: string;
  readonly what: string;
  readonly bytes: number;
}

interface StageBase {
  /** Columns that the stage reads, by name. */
  readonly input: readonly ColumnSpec[];
  readonly output: readonly ColumnSpec[];
  /**
   * Rows the output ring should have at least, whatever its rate (a window closes many at once).
   */
  readonly outputRows: number;
}

interface KernelStage extends StageBase {
  readonly stateBytes: number;
  readonly state: StateLayout;
  readonly params: readonly Param[];
  /** Generated code, as `explain` prints it. */
  readonly text: string;
}

/** Row by row: WHERE, then the select list. */
export interface RowsPlan extends KernelStage {
  readonly kind: "rows";
}

/** One row each time it is asked, from newest values alone (permit). */
export interface ConditionsPlan extends KernelStage {
  readonly kind: "conditions";
}

/** Kernels that fold rows into groups, and write the groups as rows. */
export interface FoldPlan extends KernelStage {
  readonly kind: "fold";
  /** Groups at most; of further ones rows are refused, or the oldest gives way: both counted. */
  readonly keys: number;
  /** It goes on from the window before (window/sliding.ts). */
  readonly slides: boolean;
  /** Generated code that writes the rows of a closed window. */
  readonly emitText: string;
}

export interface WindowPlan extends KernelStage {
  readonly kind: "window";
  readonly window:
    | { readonly kind: "tumbling"; readonly length_ms: number }
    | { readonly kind: "count"; readonly rows: number };
  /** Groups at most; of further ones rows are refused, or the oldest gives way: both counted. */
  readonly keys: number;
  /** Generated code that writes the rows of a closed window. */
  readonly emitText: string;
}

/** Windows that overlap, or whose aggregates need their rows. */
export type KeptWindow =
  | { readonly kind: "tumbling"; readonly length_ms: number }
  | { readonly kind: "hopping"; readonly length_ms: number; readonly hop_ms: number }
  | { readonly kind: "count"; readonly rows: number; readonly every: number }
  | { readonly kind: "sliding"; readonly length_ms: number; readonly delay_ms: number;
      readonly conditional: boolean; readonly whole: boolean }
  | { readonly kind: "session"; readonly most_ms: number; readonly timeout_ms: number }
  | { readonly kind: "state"; readonly single: boolean };

/** Joins what stands before with one more input, over the rows of a window. */
export interface JoinPlan {
  readonly text: string;
  readonly params: readonly Param[];
  readonly state: StateLayout;
  /** Of the joined rows. */
  readonly ring: RingLayout;
}

/** A window over several inputs: its rows are joined when it closes. */
export interface JoinedPlan {
  readonly steps: readonly JoinPlan[];
  /** WHERE over joined rows, and what the window makes of them; null: nothing but the rows. */
  readonly after: { readonly rows: RowsPlan; readonly ring: RingLayout } | null;
}

/** A state window for each key (window/parted.ts). */
export interface PartedPlan {
  /** Columns of the keys. */
  readonly keys: readonly string[];
  /** Rows of all windows that are open. */
  readonly ring: RingLayout;
}

/** A window that keeps rows, or panes, in a ring of its own (window/kept.ts). */
export interface KeptPlan extends StageBase {
  readonly kind: "kept";
  readonly window: KeptWindow;
  /** What fills the ring: row by row, or pane by pane. */
  readonly keep: RowsPlan | FoldPlan;
  /** Length of a pane; null if rows are kept. */
  readonly pane_ms: number | null;
  readonly ring: RingLayout;
  readonly fold: FoldPlan;
  readonly join: JoinedPlan | null;
  readonly parted: PartedPlan | null;
  /** It may have to hold more rows than it has room for; the oldest are lost then, counted. */
  readonly lacks: { readonly rows: number; readonly wanted: number } | null;
  /** Conditions and keys must be good (W8). */
  readonly strict: boolean;
  readonly stateBytes: number;
  readonly state: StateLayout;
  /** All its kernels. */
  readonly text: string;
}

/** Aggregates without a window: what the group of each row has come to. */
export interface RunningPlan extends KernelStage {
  readonly kind: "running";
  /** Groups at most; of further ones rows are refused, or the oldest gives way: both counted. */
  readonly keys: number;
}

/** Rows in the order of their source time, as far as a bounded number of them can wait. */
export interface ReorderPlan extends StageBase {
  readonly kind: "reorder";
  /** How much later than the newest row a row may come, by event time. */
  readonly late_ms: number;
  /** After so long without a row event time goes on by the clock; null = it waits. */
  readonly idle_ms: number | null;
  /** A row further ahead of engine time than this has no usable event time. */
  readonly ahead_ms: number;
  /** Streams that rows come from: with several, `$member` of a row says which. */
  readonly streams: number;
  /** Inputs (`$from`) whose rows come before those of the others, of rows of one time. */
  readonly first: readonly number[];
  /** Writes a row into its slot; writes a slot's row on. */
  readonly keep: RowsPlan;
  readonly give: RowsPlan;
  /** The slots: one row of it cannot wait. */
  readonly ring: RingLayout;
  readonly stateBytes: number;
  readonly state: StateLayout;
  /** Both kernels. */
  readonly text: string;
}

/** Run by the runtime, row by row: the model's arguments are gathered, its results scattered. */
export interface InferPlan extends StageBase {
  readonly kind: "infer";
  readonly model: string;
  readonly args: readonly string[];
  readonly results: readonly string[];
  /** Columns copied as they are because a later stage needs them. */
  readonly passes: readonly string[];
  readonly stateBytes: 0;
  readonly text: "";
}

/**
 * Run by the runtime, row by row: a table is asked for a key, and what it answers stands beside
 * the columns that are passed on. A row waits until the answer is there.
 */
export interface LookupPlan extends StageBase {
  readonly kind: "lookup";
  readonly table: string;
  /** Column of the input that holds the key. */
  readonly key: string;
  /** Column of the output: whether the table has a row for the key. */
  readonly found: string;
  /** Columns of the table, and what they are called in the output. */
  readonly columns: readonly { readonly from: string; readonly to: string }[];
  /** Columns copied as they are because a later stage needs them. */
  readonly passes: readonly string[];
  readonly stateBytes: 0;
  readonly text: "";
}

/** Each row meets all rows of a table that was read as a whole (scan.ts). */
export interface ScanPlan extends KernelStage {
  readonly kind: "scan";
  readonly table: string;
}

/**
 * Keeps the newest row of one input, by keys, and lays it beside the rows of the others; the rows
 * of the input itself go no further.
 */
export interface AsofPlan extends StageBase {
  readonly kind: "asof";
  /** What `$from` says of the input's rows. */
  readonly from: number;
  readonly left: boolean;
  readonly tolerance_ms: number;
  /** Columns of the input ring that hold the keys, of both sides. */
  readonly keys: readonly { readonly left: string; readonly right: string }[];
  /** Columns of the input's rows. */
  readonly columns: readonly string[];
  /** Columns of the other rows. */
  readonly passes: readonly string[];
  readonly lineage: boolean;
  /** Keys must be good (W8). */
  readonly strict: boolean;
  /** Newest rows, a ring of its own in the state. */
  readonly ring: RingLayout;
  readonly stateBytes: number;
  readonly state: StateLayout;
  readonly text: "";
}

/** For each of `keys`: the field takes a value that says so, if `begun` of the key is not 0. */
export interface Interrupt {
  readonly field: string;
  readonly value: number;
  readonly begun: string;
  readonly keys: number;
}

/** Row by row: functions with state. */
export interface StatefulPlan extends KernelStage {
  readonly kind: "stateful";
  readonly functions: readonly string[];
  readonly alarms: readonly AlarmPlan[];
  /** What a gap in the rows does to their state; none but on the way to a write. */
  readonly interrupts: readonly Interrupt[];
  /** Keys of a PARTITION BY at most, 0 without one; further ones are counted. */
  readonly keys: number;
}

/** What failed, as rows and in a column of its own (failures.ts). */
export interface FailuresPlan extends StageBase {
  readonly kind: "failures";
  readonly stateBytes: number;
  readonly state: StateLayout;
  readonly text: "";
}

/** A row of NULLs for each window of which none came (silence.ts). */
export interface SilencePlan extends StageBase {
  readonly kind: "silence";
  /** Windows end at each multiple of it. */
  readonly every_ms: number;
  /** They end by event time, which is the source time of their rows. */
  readonly byEvents: boolean;
  /** Its rows are flagged: they are told as an empty list. */
  readonly asList: boolean;
  readonly stateBytes: number;
  readonly state: StateLayout;
  readonly text: "";
}

/** Each item of the array `$list` becomes a row (expand.ts). */
export interface ExpandPlan extends StageBase {
  readonly kind: "expand";
  /** Name of an item that is no object. */
  readonly name: string;
  readonly stateBytes: number;
  readonly state: StateLayout;
  readonly text: "";
}

export interface SortKey {
  readonly column: string;
  readonly descending: boolean;
}

/** What is done with all rows of a closed window before they go out (arrange.ts). */
export interface ArrangePlan extends StageBase {
  readonly kind: "arrange";
  /** Rows are left out where the column `$having` is not TRUE. */
  readonly having: boolean;
  readonly numbers: readonly {
    readonly name: string;
    readonly partition: readonly string[];
    readonly order: readonly SortKey[];
  }[];
  /** Columns by which rows are equal, null without DISTINCT. */
  readonly distinct: readonly string[] | null;
  readonly order: readonly SortKey[];
  readonly limit: number | null;
  /** Columns that go out. */
  readonly passes: readonly string[];
  /** HAVING must be good (W8). */
  readonly strict: boolean;
  /** The rows of one window. */
  readonly ring: RingLayout;
  readonly stateBytes: number;
  readonly state: StateLayout;
  readonly text: "";
}

export type StagePlan = RowsPlan | ConditionsPlan | WindowPlan | KeptPlan | RunningPlan
  | InferPlan | LookupPlan | ScanPlan | AsofPlan | StatefulPlan | ReorderPlan | ArrangePlan
  | ExpandPlan | FailuresPlan | SilencePlan;

export interface StageCounters {
  /** Rows read. */
  in: number;
  /** Rows written. */
  out: number;
  /** Rows left out because WHERE, HAVING or FILTER failed on them; model failures. */
  errors: number;
  /** Rows lost to a full key table, or without state for it. */
  dropped: number;
  /** Of groups: those that gave way to others. */
  evicted?: number;
  /** Of a reorder step: rows left out because they came too late. */
  late?: number;
  /** Of a reorder step: rows that could not wait until it was their time, for want of room. */
  early?: number;
}

/** A step between two rings. */
export interface Stage {
  /**
   * Reads rows [from, to) of the input, publishes on the output and returns the sequence up to
   * which
   * it has read. It may stop early: it writes at most half of the output ring in one call. `now` is
   * monotonic ms, `time` engine time.
   */
  run(from: number, to: number, now: number, time: number): number;
  /** Engine time at which `tick` must run to close a window; Infinity if none is open. */
  readonly deadline: number;
  /** True if it can only go on when something outside has answered, which then wakes the loop. */
  readonly waits?: boolean;
  /**
   * Closes what is due by `time`, engine time; `now` is monotonic. All rows before `time` must have
   * been run.
   */
  tick(time: number, now: number): void;
  /**
   * Of a window, and of a reorder step: rows of the input up to this time of theirs may be missing,
   * 0 = none is.
   */
  miss?(time: number): void;
  /** The same of functions with state, and of the newest rows that an ASOF JOIN keeps. */
  interrupt?(time: number): void;
  /** The rule has begun, perhaps again: until this engine time it did not run. */
  resume?(time: number): void;
  readonly counters: StageCounters;
}

/** Where a stage stands. Columns are bound by name, whatever ring is given. */
export interface Site {
  readonly arena: Arena;
  /** null for conditions. */
  readonly input: Ring | null;
  readonly output: Ring;
  /** One ring for each of the program's `newest`, in order. */
  readonly newest: readonly Ring[];
  /** At least `stateBytes`. */
  readonly state: Block;
  /** May be left out where nothing asks for it. */
  readonly begun?: Beginning;
}
