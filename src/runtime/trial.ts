import { Fault, limits, nearest, reason, stringifyJson } from "../base.ts";
import { createDecoder } from "../codec.ts";
import { Arena, Bridge, GOOD, Ring, type RingLayout } from "../ring.ts";
import { instantiate, type StagePlan } from "../sql.ts";
import { stateBytes } from "./blocks.ts";
import { Gather } from "./gather.ts";
import { planTrial, type TrialPlan } from "./build.ts";
import type { Components, Graph, RulePlan } from "./graph.ts";
import { ringAt, type RingPlace } from "./place.ts";
import { rowOf } from "./inspect.ts";
import { RuleRunner } from "./rule.ts";
import type { RowView, TryAnswer, TryRequest } from "./view.ts";
import { type Breathe, pause, type World } from "./world.ts";

/** How often the rows of live streams are fetched: well within the two seconds that rings keep. */
const fetch_ms = 50;

/** After the last given row its time goes on for so long, until the windows are closed. */
const windows_ms_max = 86_400_000;

/**
 * A rule tried before it is saved: by itself, in memory of its own, with rows that are given or
 * with those that come. Nothing reads what it gives but whoever asked, whatever is written there:
 * it has no targets. Bounded in time, rows and bytes.
 */
export class Trial {
  readonly #request: TryRequest;
  readonly #world: World;
  readonly #plan: RulePlan;
  readonly #arena: Arena;
  readonly #inputs = new Map<string, Ring>();
  readonly #runner: RuleRunner;
  /** Streams whose messages may have any fields. */
  readonly #open: ReadonlySet<string>;
  readonly #rows: RowView[] = [];
  #shown: number;
  #ended: string | null = null;

  constructor(graph: Graph, components: Components, request: TryRequest, world: World) {
    this.#request = request;
    this.#world = world;
    const { rule, inputs } = planned(graph, components, request);
    this.#plan = rule;
    this.#open = new Set(graph.gateway.sources.filter(({ open }) => open !== null)
      .map(({ name }) => name));
    const { program, layouts, gather } = rule;
    const rings = [...inputs, ...layouts, ...(gather === null ? [] : [gather])];
    this.#arena = arenaFor(rings, program.stages);
    for (const layout of inputs) this.#inputs.set(layout.name, this.#ring(layout));
    this.#runner = this.#makeRunner();
    this.#runner.begin();
    this.#shown = this.#runner.output.head;
  }

  /** Everything that it reads. */
  get streams(): string[] {
    return [...this.#inputs.keys()];
  }

  /** Somebody else needs what it looks at: it ends with what it has. */
  end(why: string): void {
    this.#ended ??= why;
  }

  /** Given rows, one after the other, in a time of their own; then windows close. */
  async runGiven(rows: TryRequest["rows"], breathe: Breathe): Promise<TryAnswer> {
    const { clock } = this.#world;
    const began = clock.now();
    let time = clock.time();
    for (const { ring, row, at } of this.#given(rows!, time)) {
      time = at;
      this.#turn(time);
      this.#write(ring, row, time);
      this.#turn(time);
      await breathe();
      if (clock.now() - began > limits.try_ms_max) this.end("it took too long");
      if (this.#ended !== null) return this.#answer();
    }
    const horizon = time + windows_ms_max;
    while (this.#ended === null && this.#runner.deadline <= horizon) {
      time = Math.max(time, this.#runner.deadline);
      this.#turn(time);
      await breathe();
      if (clock.now() - began > limits.try_ms_max) this.end("it took too long");
    }
    this.end("all rows were given");
    return this.#answer();
  }

  /** Rows as they come, from rings that it only reads. */
  async runLive(places: readonly RingPlace[]): Promise<TryAnswer> {
    const { clock, timers } = this.#world;
    const until = clock.now() + this.#request.for_ms;
    const reads = new Set(this.#plan.program.inputs.flatMap((input) => input.streams));
    const bridges = places.map((place) => {
      const { stream } = place, remote = ringAt(place);
      // What only its newest row is read of is known from its last one.
      const from = reads.has(stream) || remote.head === 0 ? undefined : (remote.head - 1) | 0;
      return new Bridge(remote, this.#inputs.get(stream)!, from);
    });
    while (this.#ended === null && clock.now() < until) {
      const time = clock.time();
      for (const bridge of bridges) bridge.step(limits.rows_per_step_max);
      this.#turn(time, Math.min(...bridges.map(({ openSince }) => openSince)));
      await pause(timers, fetch_ms);
    }
    this.end("the time was over");
    return this.#answer();
  }

  #answer(): TryAnswer {
    const counters = this.#runner.stages.map((stage) => stage.counters);
    const sum = (what: "errors" | "dropped"): number =>
      counters.reduce((all, one) => all + one[what], 0);
    return {
      columns: this.#runner.output.shown.map(({ name, kind, eu }) => ({ name, kind, eu })),
      rows: this.#rows, rows_in: counters[0]!.in, errors: sum("errors"), dropped: sum("dropped"),
      ended: this.#ended!,
    };
  }

  #turn(time: number, openSince = Infinity): void {
    const { output } = this.#runner;
    for (let more = true; more && this.#ended === null;) {
      more = this.#runner.run(time, time, false, Infinity, openSince);
      if (this.#runner.state === "failed") this.end(this.#runner.reason);
      for (; this.#shown !== output.head; this.#shown = (this.#shown + 1) | 0) {
        if (this.#rows.length < this.#request.limit) this.#rows.push(rowOf(output, this.#shown));
      }
      if (this.#rows.length >= this.#request.limit) this.end("there are enough rows");
    }
  }

  #write(ring: Ring, row: object, time: number): void {
    try {
      createDecoder(ring).decode(new TextEncoder().encode(stringifyJson(row)), time, GOOD);
    } catch (thrown) {
      throw new Fault("try-row", `A row of ${ring.name} cannot be read: ${reason(thrown)}`, {});
    }
  }

  /** All rows in the order of their times: `$time`, or one interval of the stream apart. */
  #given(
    rows: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>, start: number,
  ): { ring: Ring; row: object; at: number }[] {
    const all = Object.entries(rows).flatMap(([stream, given]) => {
      const ring = this.#inputs.get(stream);
      if (ring === undefined) throw unread(stream, this.streams);
      let at = start;
      return given.map(({ $time, ...row }, i) => {
        const known = ring.columns.map(({ name }) => name);
        for (const name of this.#open.has(stream) ? [] : Object.keys(row)) {
          if (!known.includes(name)) throw unknownColumn(stream, name, known);
        }
        at = $time === undefined ? (i === 0 ? start : at + this.#request.every_ms)
          : typeof $time === "number" ? $time : Date.parse(String($time));
        if (!Number.isFinite(at)) {
          throw new Fault("try-row", `$time is ms since the epoch or ISO 8601, not ${$time}`, {});
        }
        return { ring, row, at };
      });
    });
    return all.sort((a, b) => a.at - b.at);
  }

  #ring(layout: RingLayout): Ring {
    return Ring.create(this.#arena, layout).ring;
  }

  #makeRunner(): RuleRunner {
    const { program, layouts, gather } = this.#plan;
    const first = this.#inputs.get(program.inputs[0]!.streams[0]!)!;
    const gathered = gather === null ? null : this.#ring(gather);
    const rings = [gathered ?? first, ...layouts.map((layout) => this.#ring(layout))];
    const newest = program.newest.map(({ stream }) => this.#inputs.get(stream)!);
    return new RuleRunner(this.#plan, {
      window: null, rings, models: [], blocks: [], states: [], alarms: [],
      gather: () =>
        (gathered === null ? null : new Gather(program.inputs, this.#inputs, gathered)),
      stages: () => program.stages.map((stage, i) => instantiate(stage, {
        arena: this.#arena, input: rings[i]!, output: rings[i + 1]!, newest,
        state: this.#arena.take(stateBytes(stage), "try"),
        begun: { time: this.#world.clock.time(), seed: this.#world.seed },
      })),
    });
  }
}

function planned(graph: Graph, components: Components, { sql, rows }: TryRequest): TrialPlan {
  const { plan, problems } = planTrial(graph, components, sql, rows !== null);
  if (plan === null) {
    throw new Fault("sql-wrong", problems.map(({ message, nearest: close, caret }) =>
      `${message}${close === null ? "" : `; did you mean ${close}?`}` +
        (caret === undefined ? "" : `\n${caret}`)).join("\n"), {});
  }
  const { inputs, models, tables } = plan.rule.program;
  const unread = rows !== null ? undefined : inputs.flatMap(({ streams }) => streams)
    .find((name) => graph.streams.every((stream) => stream.name !== name));
  if (unread !== undefined) {
    throw new Fault("try-alone", `No running rule reads ${unread}, so that its rows are not ` +
      "there: give some with --rows, or apply the rule with --confirm", {});
  }
  if (models.length + tables.length === 0) return plan;
  throw new Fault("try-alone", `${[...models, ...tables].join(", ")}: no model is loaded and no ` +
    "table is asked for a try; leave them out, or apply the rule with --confirm", {});
}

function arenaFor(rings: readonly RingLayout[], stages: readonly StagePlan[]): Arena {
  const bytes = [...rings.map((layout) => layout.bytes), ...stages.map(stateBytes)]
    .reduce((sum, one) => sum + Arena.sizeOf(one), 0);
  if (bytes <= limits.try_bytes_max) return Arena.create(bytes);
  throw new Fault("try-too-large", `It needs ${bytes} bytes, a try may take ` +
    `${limits.try_bytes_max}: take a shorter window or fewer keys`, { bytes });
}

function unread(stream: string, read: readonly string[]): Fault {
  const close = nearest(stream, read);
  return new Fault("try-row", `The query does not read ${stream}; it reads ${read.join(", ")}` +
    (close === null ? "" : `. Did you mean ${close}?`), { stream });
}

function unknownColumn(stream: string, name: string, known: readonly string[]): Fault {
  const close = nearest(name, known);
  return new Fault("try-row", `${stream} has no column ${name}` +
    (close === null ? `; it has ${known.join(", ")}` : `; did you mean ${close}?`), { stream });
}
