import { limits } from "../base.ts";
import {
  type Column, copyCell, copyStamp, type Dyn, DynReader, DynWriter, ERROR, type Ring, spread_name,
  UNCERTAIN_MAX,
} from "../ring.ts";
import { fieldIndex, Layout } from "./emit/params.ts";
import type { StageInput } from "./emit/stages.ts";
import type { ExpandPlan, Site, Stage, StageCounters } from "./program.ts";
import { spreadOf } from "./shown.ts";

/** The plan of the last stage of a query with a function that makes rows. */
export function expandStage(input: StageInput, name: string): ExpandPlan {
  const state = new Layout();
  state.add("place", "F", 1);
  return {
    kind: "expand", name, input: input.columns, outputRows: 0, state, stateBytes: state.bytes,
    text: "",
    output: [spreadOf(input.columns), ...(input.oldest === null ? [] : [input.oldest])],
  };
}

/**
 * Writes a row for each item of an array. Its state is the place of the item that comes next, where
 * the output had no room for all of a row.
 */
export class ExpandStage implements Stage {
  readonly deadline = Infinity;
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  readonly #name: string;
  readonly #input: Ring;
  readonly #output: Ring;
  readonly #placeAt: number;
  readonly #list: Column;
  readonly #rest: Column;
  readonly #target: Column;
  readonly #oldest: { readonly from: Column; readonly to: Column } | null;
  readonly #reader = new DynReader();
  readonly #writer = new DynWriter();
  readonly #rows_max: number;

  constructor(plan: ExpandPlan, { input, output, state }: Site) {
    this.#name = plan.name;
    this.#input = input!;
    this.#output = output;
    this.#placeAt = fieldIndex(plan.state, "place", state.at);
    this.#list = input!.column("$list")!;
    this.#rest = input!.column("$rest")!;
    this.#target = output.column(spread_name)!;
    const from = input!.column("$oldest"), to = output.column("$oldest");
    this.#oldest = from === undefined || to === undefined ? null : { from, to };
    this.#rows_max = Math.min(limits.rows_per_step_max, output.rows >> 1);
  }

  run(from: number, to: number, _now: number, _time: number): number {
    let seq = from;
    let room = this.#rows_max;
    while (seq !== to && room > 0) {
      const { F, U } = this.#input.arena;
      const row = seq & this.#input.mask;
      const state = U[this.#list.state + row]!;
      const list = state > UNCERTAIN_MAX ? [] : this.#read(this.#list, row);
      if (state > 193 || !Array.isArray(list)) this.counters.errors += 1;
      const items: readonly Dyn[] = Array.isArray(list) ? list : [];
      const first = F[this.#placeAt]!;
      const n = Math.min(items.length - first, room);
      this.#output.claim(n);
      for (let i = 0; i < n; i++) this.#write(seq, i, state, items[first + i]!);
      this.#output.publish(n);
      this.counters.out += n;
      room -= n;
      const left = first + n < items.length;
      F[this.#placeAt] = left ? first + n : 0;
      if (left) break;
      seq = (seq + 1) | 0;
      this.counters.in += 1;
    }
    return seq;
  }

  tick(_time: number): void {}

  #read(column: Column, row: number): Dyn {
    return this.#reader.read(this.#input.arena.U, column.payload + row * column.stride);
  }

  #write(seq: number, ahead: number, state: number, item: Dyn): void {
    const input = this.#input, output = this.#output;
    const target = this.#target;
    const { U, I } = output.arena;
    const to = (output.head + ahead) | 0;
    const row = to & output.mask, from = seq & input.mask;
    copyStamp(input, seq, output, to);
    if (this.#oldest !== null) copyCell(input, this.#oldest.from, seq, output, this.#oldest.to, to);
    const restState = U[this.#rest.state + from]!;
    const rest = restState > UNCERTAIN_MAX ? null : this.#read(this.#rest, from);
    const fields = new Map(rest instanceof Map ? rest as ReadonlyMap<string, Dyn> : []);
    const own: Iterable<[string, Dyn]> = item instanceof Map
      ? item as ReadonlyMap<string, Dyn> : [[this.#name, item]];
    for (const [key, value] of own) fields.set(key, value);
    const length = this.#writer.write(U, target.payload + row * target.stride, target.slot, fields);
    I[target.length + row] = Math.max(0, length);
    U[target.state + row] = length < 0 ? ERROR.length
      : Math.max(state, restState > 193 ? restState : Math.min(restState, UNCERTAIN_MAX));
  }
}
