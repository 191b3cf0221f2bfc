import { textOfBytes } from "../../base.ts";
import type { Arena, Block, ColumnKind } from "../../ring.ts";
import { fieldIndex } from "../emit/params.ts";
import type { StatefulPlan } from "../program.ts";

/** As it stands in the state, and in checkpoints: numbers are stable. */
export const phase = {
  normal: 0, unacknowledged: 1, acknowledged: 2, returned: 3,
  /** Never kept: what is shown while it is shelved, whatever it is beneath. */
  shelved: 4,
} as const;

/** What the column says, by the number of the phase. */
export const shown = ["normal", "unacknowledged", "acknowledged", "returned", "shelved"] as const;

/** One alarm of a stage: a call of alarm(), with a state for each key of its PARTITION BY. */
export interface AlarmPlan {
  readonly name: string;
  /** What its fields in the stage's state begin with. */
  readonly field: string;
  readonly keys: AlarmKeys | null;
}

export interface AlarmKeys {
  /** What the fields of its key table begin with (keys.ts). */
  readonly table: string;
  readonly parts: readonly { readonly kind: ColumnKind; readonly slot: number }[];
}

export interface AlarmState {
  readonly name: string;
  /** Values of PARTITION BY, joined by dots; null = it has none. */
  readonly key: string | null;
  readonly state: (typeof shown)[number];
  /** Engine time at which it came into what it is, beneath a shelf too. */
  readonly since: number;
  /** Engine time at which it is off the shelf again, or null. */
  readonly shelvedUntil: number | null;
}

/** What an operator does to an alarm of a running stage; nothing here is asked for each row. */
export class StageAlarms {
  readonly #plan: StatefulPlan;
  readonly #arena: Arena;
  readonly #block: number;

  constructor(plan: StatefulPlan, arena: Arena, block: Block) {
    this.#plan = plan;
    this.#arena = arena;
    this.#block = block.at;
  }

  list(time: number): AlarmState[] {
    return this.#plan.alarms.flatMap((alarm) =>
      this.#keysOf(alarm).map((key, i) => this.#state(alarm, key, i, time)));
  }

  /** Its new state; null = there was nothing to acknowledge, undefined = there is no such key. */
  acknowledge(name: string, key: string | null, time: number): AlarmState | null | undefined {
    return this.#change(name, key, time, (alarm, i) => {
      const now = this.#at(alarm, "phase", i);
      const { F } = this.#arena;
      if (F[now] !== phase.unacknowledged && F[now] !== phase.returned) return false;
      F[now] = F[now] === phase.returned ? phase.normal : phase.acknowledged;
      F[this.#at(alarm, "entered", i)] = time;
      return true;
    });
  }

  /** `until` 0 takes it off the shelf. */
  shelve(name: string, key: string | null, until: number, time: number): AlarmState | undefined {
    return this.#change(name, key, time, (alarm, i) => {
      this.#arena.F[this.#at(alarm, "shelved", i)] = until;
      return true;
    }) ?? undefined;
  }

  #change(
    name: string, key: string | null, time: number,
    act: (alarm: AlarmPlan, i: number) => boolean,
  ): AlarmState | null | undefined {
    const alarm = this.#plan.alarms.find((a) => a.name === name);
    const i = alarm === undefined ? -1 : this.#keysOf(alarm).indexOf(key);
    if (alarm === undefined || i < 0) return undefined;
    return act(alarm, i) ? this.#state(alarm, key, i, time) : null;
  }

  #state(alarm: AlarmPlan, key: string | null, i: number, time: number): AlarmState {
    const { F } = this.#arena;
    const shelved = F[this.#at(alarm, "shelved", i)]!;
    return {
      name: alarm.name, key, since: F[this.#at(alarm, "entered", i)]!,
      state: shown[time < shelved ? phase.shelved : F[this.#at(alarm, "phase", i)]!]!,
      shelvedUntil: time < shelved ? shelved : null,
    };
  }

  #at(alarm: AlarmPlan, field: string, i: number): number {
    return this.#field(`${alarm.field}.${field}`) + i;
  }

  #field(name: string): number {
    return fieldIndex(this.#plan.state, name, this.#block);
  }

  /** Keys that have had a row, in the order of their places. */
  #keysOf({ keys }: AlarmPlan): (string | null)[] {
    if (keys === null) return [null];
    const used = this.#arena.F[this.#field(`${keys.table}.used`)]!;
    return Array.from({ length: used }, (_, k) =>
      keys.parts.map((part, i) => this.#partOf(`${keys.table}.${i}`, part, k)).join("."));
  }

  #partOf(field: string, { kind, slot }: AlarmKeys["parts"][number], k: number): string {
    const { F, I, U } = this.#arena;
    if (U[this.#field(`${field}.null`) + k] === 1) return "null";
    const at = this.#field(field);
    if (slot > 0) {
      const length = I[this.#field(`${field}.length`) + k]!;
      return textOfBytes(U.slice(at + k * slot, at + k * slot + length));
    }
    if (kind === "int64") {
      const word = (at + k) * 2;
      return String((BigInt(I[word + 1]!) << 32n) | BigInt(I[word]! >>> 0));
    }
    return kind === "bool" ? String(F[at + k] === 1) : String(F[at + k]);
  }
}
