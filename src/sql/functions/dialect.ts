/** Where a function may stand. */
export type FunctionClass =
  | "scalar" | "aggregate" | "analytic" | "rows" | "columns" | "number" | "hit" | "context";

export interface DialectFunction {
  readonly name: string;
  readonly parameters: string;
  readonly place: FunctionClass;
}

/** A function of eKuiper that there is not here: a query with one is told why. */
export interface AbsentFunction extends DialectFunction {
  readonly why: string;
}

export const absent: readonly AbsentFunction[] = [
  {
    name: "dedup_trigger", parameters: "a+", place: "context",
    why: "it is not documented; had_changed() and last_hit_time() tell what has come before",
  },
  {
    name: "delay", parameters: "ia", place: "context",
    why: "no function waits, as other rules run on the same thread; a sliding window with a " +
      "delay gives rows later",
  },
  {
    name: "get_keyed_state", parameters: "aTa", place: "context",
    why: "no function asks a database for each row; a table does, joined by its key",
  },
  ...["onnx", "tflite"].map((name): AbsentFunction => ({
    name, parameters: "sa+", place: "context",
    why: "a model of the configuration is called by infer('model', a, b)",
  })),
  {
    name: "props", parameters: "s", place: "context",
    why: "it tells of the process, where secrets may stand; what a plant is told is in the " +
      "configuration (functions)",
  },
];
