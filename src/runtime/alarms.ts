import { Fault } from "../base.ts";
import type { StageAlarms } from "../sql.ts";
import type { RuleRunner } from "./rule.ts";
import type { AlarmAct, AlarmView } from "./view.ts";

interface Place {
  readonly rule: string;
  readonly stage: StageAlarms;
}

/** A shelf of before the restart waits for the key's first row; looked for this often (ms). */
const look_ms = 1000;

/** The alarms of one role's rules, and what operators do to them. */
export class Alarms {
  #places: readonly Place[] = [];
  #shelves: { readonly alarm: string; readonly until: number }[] = [];
  #lookAt = -Infinity;

  /** These rules run now. */
  follow(rules: readonly RuleRunner[]): void {
    this.#places = rules.flatMap(({ name: rule, alarms }) =>
      alarms.map((stage) => ({ rule, stage })));
  }

  list(time: number): AlarmView[] {
    return this.#places.flatMap(({ rule, stage }) =>
      stage.list(time).map(({ name, key, ...state }) =>
        ({ alarm: key === null ? name : `${name}.${key}`, rule, ...state })));
  }

  /** The alarm as it is now; null = it is none of this role. */
  operate({ alarm, act, for_ms }: AlarmAct, time: number): AlarmView | null {
    const [name, key] = split(alarm);
    for (const { rule, stage } of this.#places) {
      const state = act === "ack" ? stage.acknowledge(name, key, time)
        : stage.shelve(name, key, act === "shelve" ? time + for_ms : 0, time);
      if (state === undefined) continue;
      if (state === null) {
        throw new Fault("nothing-to-acknowledge", `${alarm} has nothing to acknowledge`, { alarm });
      }
      const { state: shown, since, shelvedUntil } = state;
      return { alarm, rule, state: shown, since, shelvedUntil };
    }
    return null;
  }

  /** What was on the shelf before the restart is put there again, and what was taken off is off. */
  restore(shelves: readonly { readonly alarm: string; readonly until: number }[]): void {
    this.#shelves = [...shelves];
  }

  step(now: number, time: number): void {
    if (this.#shelves.length === 0 || now < this.#lookAt) return;
    this.#lookAt = now + look_ms;
    this.#shelves = this.#shelves.filter(({ alarm, until }) => {
      const act = until > 0 ? "shelve" : "unshelve";
      const found = this.operate({ alarm, act, for_ms: until - time }, time) !== null;
      return !found && until > time;
    });
  }
}

/** A name has no dot, a key may have. */
function split(alarm: string): [name: string, key: string | null] {
  const dot = alarm.indexOf(".");
  return dot < 0 ? [alarm, null] : [alarm.slice(0, dot), alarm.slice(dot + 1)];
}
