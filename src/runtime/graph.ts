import type { Gateway, Link, Rule, Tag } from "../config.ts";
import type { Connector, TableType } from "../connector.ts";
import type { AnyDriver } from "../driver.ts";
import type { RingLayout } from "../ring.ts";
import type { Program } from "../sql.ts";
import type { TablePlan } from "./lookup.ts";

/** What a binary is made of; the registry's lists. */
export interface Components {
  readonly drivers: readonly AnyDriver[];
  readonly connectors: readonly Connector[];
  readonly tables: readonly TableType[];
}

/** A configuration worked out: every stream, step and byte, before anything is opened. */
export interface Graph {
  readonly gateway: Gateway;
  readonly streams: readonly StreamPlan[];
  readonly links: readonly LinkPlan[];
  /** In an order in which each reads only what stands before it. */
  readonly rules: readonly RulePlan[];
  readonly sinks: readonly Outflow[];
  readonly permits: readonly PermitPlan[];
  readonly tables: readonly TablePlan[];
  readonly memory: readonly MemoryLine[];
}

/** A stream that goes to a sink: a rule names the sink, or the sink something of the stream. */
export interface Outflow {
  readonly stream: string;
  readonly sink: string;
}

export interface StreamPlan {
  readonly name: string;
  readonly from: "group" | "history" | "source" | "table" | "rule";
  readonly layout: RingLayout;
  /** ms between rows, null if nobody knows. */
  readonly interval: number | null;
  /**
   * Of a source that can wait, whose rows are durable before they are acknowledged: how many marks
   * of its messages are kept. Else null.
   */
  readonly journal: { readonly marks_min: number } | null;
  /** Its rows bear source times, by which a rule can go. */
  readonly timed: boolean;
}

export interface LinkPlan {
  readonly link: Link;
  readonly driver: AnyDriver;
  readonly groups: readonly GroupPlan[];
}

/** What stands in a column of each row of a group. */
export interface Constant {
  readonly column: number;
  readonly value: number | boolean | string;
}

export interface GroupPlan {
  readonly stream: string;
  readonly device: string;
  readonly station: number;
  readonly interval: number;
  readonly tags: readonly Tag[];
  readonly constants: readonly Constant[];
  /** Columns of tags that are never read: broadcasts. */
  readonly broadcasts: readonly number[];
  /** A rule reads what was missed, the stream `device.group.history`. */
  readonly history: boolean;
}

export interface RulePlan {
  readonly rule: Rule;
  readonly program: Program;
  /** Layouts of the rings between the stages; the last one is the rule's stream. */
  readonly layouts: readonly RingLayout[];
  /** A target or another rule reads its stream, and may lag behind in it. */
  readonly isRead: boolean;
  /** The ring of a fan-in or of several streams; null = the only input's own. */
  readonly gather: RingLayout | null;
  /** Of rules that share their window one and the same (windows.ts); null: it has its own. */
  readonly window: string | null;
}

export interface PermitPlan {
  readonly tag: string;
  /** By condition: the tags that it reads. */
  readonly reads: readonly (readonly string[])[];
  readonly program: Program;
  readonly layout: RingLayout;
}

export interface MemoryLine {
  readonly owner: string;
  readonly what: string;
  readonly bytes: number;
}
