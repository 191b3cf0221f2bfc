import { Arena, BAD, type CellValue, type ColumnSpec, readCell, Ring, stateName, writeCell,
} from "../../src/ring.ts";
import { type Catalog, compile, instantiate, type Stage, StageAlarms } from "../../src/sql.ts";

const columns: readonly ColumnSpec[] = [
  { name: "a", kind: "float64", slot: 0 }, { name: "b", kind: "bool", slot: 0 },
  { name: "t", kind: "text", slot: 8 }, { name: "x", kind: "json", slot: 16 },
  { name: "m", kind: "float64", slot: 0 }, { name: "big", kind: "int64", slot: 0 },
  { name: "d", kind: "dyn", slot: 64 },
];
export const catalog: Catalog = {
  stream: (name) => ({ name, columns: name === "up"
    ? [...columns, { name: "$oldest", kind: "time", slot: 0 }] : columns, interval_ms: 10 }),
  match: () => [], device: (name) => name === "dev", model: () => undefined, names: () => [],
  tag: (device, tag) => (device === "dev" && tag === "a"
    ? { stream: "dev.fast", column: "a", interval_ms: 100 } : undefined),
};

/** One value a row: a number or text is good, `bad` was not read, [value, state] as it says. */
export type Given = CellValue | "bad" | readonly [CellValue, number];

/** A query over rows 1 s apart, from 1 s on; its first column and lineage after each. */
export class Bench {
  readonly input: Ring;
  readonly stages: readonly Stage[];
  readonly alarms: readonly StageAlarms[];
  readonly #rings: Ring[];
  readonly #cursors: number[];
  /** Engine time of the newest row, ms. */
  time = 0;

  constructor(expr: string, rest = "") {
    const program = compile(`SELECT ${expr} AS y FROM s ${rest}`, catalog, { lineage: true });
    const arena = Arena.create(1 << 22);
    const make = (specs: readonly ColumnSpec[]): Ring =>
      Ring.create(arena, Ring.layout("r", specs, 64)).ring;
    this.input = make(program.inputs[0]!.columns);
    this.#rings = [this.input, ...program.stages.map((plan) => make(plan.output))];
    const states = program.stages.map((plan) => arena.take(plan.stateBytes, "state"));
    this.stages = program.stages.map((plan, i) => instantiate(plan, {
      arena, input: this.#rings[i]!, output: this.#rings[i + 1]!, newest: [], state: states[i]!,
    }));
    this.alarms = program.stages.flatMap((plan, i) => plan.kind === "stateful"
      ? [new StageAlarms(plan, arena, states[i]!)] : []);
    this.#cursors = this.stages.map(() => 0);
  }

  /** `value quality age_s`, the age of the row's oldest input. */
  row(values: Record<string, Given>, flags = 0, seconds = 1): string {
    const { input } = this;
    this.time += 1000 * seconds;
    input.claim(1);
    const at = input.head & input.mask;
    input.arena.F[input.timeAt + at] = this.time;
    input.arena.U[input.flagsAt + at] = flags;
    for (const column of input.columns) {
      const given = values[column.name] ?? null;
      const [value, state] = given === "bad" ? [null, BAD.timeout]
        : Array.isArray(given) ? given as [CellValue, number] : [given as CellValue, 0];
      writeCell(input, column, input.head, value, state);
      if (given !== null) input.arena.U[column.state + at] = state;
      if (typeof value === "number") input.arena.F[column.payload + at] = value;
    }
    input.publish(1);
    this.stages.forEach((stage, i) => {
      const { head } = this.#rings[i]!;
      while (this.#cursors[i] !== head) {
        this.#cursors[i] = stage.run(this.#cursors[i]!, head, this.time, this.time);
      }
    });
    return this.#shown();
  }

  #shown(): string {
    const output = this.#rings.at(-1)!;
    const seq = (output.head - 1) | 0;
    const cell = output.column("y")!;
    const state = output.arena.U[cell.state + (seq & output.mask)]!;
    const age = this.time - Number(readCell(output, output.column("$oldest")!, seq));
    const flags = output.arena.U[output.flagsAt + (seq & output.mask)]!;
    return [...(state < 64 ? [String(readCell(output, cell, seq))] : []), stateName(state),
      age / 1000, ...(flags === 0 ? [] : [`flags ${flags}`])].join(" ");
  }
}
