import type { Log } from "../base.ts";
import { FLAG, type Ring, unpackRows } from "../ring.ts";
import { unseal, type SavedState, type StoredSegment } from "../store.ts";
import type { Cut } from "./checkpoint.ts";
import type { Journal } from "./journal.ts";
import type { RuleCut, RuleState } from "./rule-state.ts";
import type { RuleRunner } from "./rule.ts";
import type { StatePort } from "./store-port.ts";

export interface Restoring {
  readonly port: StatePort;
  readonly log: Log;
  readonly streams: ReadonlyMap<string, Ring>;
  readonly journals: readonly Journal[];
  /** In an order in which each reads only what stands before it. */
  readonly rules: readonly RuleState[];
  /** Of this start, for what is numbered anew. */
  readonly epoch: number;
  readonly time: number;
  tell(stream: string, rows: number, why: string): void;
}

export interface Restored {
  /** Journal segments past the checkpoint, in the order in which they were committed. */
  readonly replay: StoredSegment[];
  /** First row that a sink has still to send, by `SINK of RULE`. */
  readonly sinks: ReadonlyMap<string, number>;
  /** No rule starts cold. */
  readonly complete: boolean;
}

/** Brings rules and streams to where the last checkpoint left them; they have not run yet. */
export async function restore(saved: SavedState, options: Restoring): Promise<Restored> {
  const cut = cutOf(saved, options.log);
  const replay = options.journals.flatMap((journal) => beginReplay(journal, saved, cut, options));
  replay.sort((a, b) => a.id - b.id);
  const sinks = new Map<string, number>();
  if (cut === null) return { replay, sinks, complete: options.rules.length === 0 };
  // Streams that are numbered on, so that numbers of the checkpoint still mean their rows.
  const goOn = new Set(options.journals.map(({ stream }) => stream.name)
    .filter((name) => cut.sources[name] !== undefined));
  let warm = 0;
  const windows: Windows = new Map();
  const segments = Map.groupBy(saved.state, ({ owner }) => owner);
  for (const state of options.rules) {
    const why = await restoreRule(state, cut, segments, { goOn, windows }, options);
    if (why === null) warm += 1;
    else options.log.warn("state", `${state.name} starts cold: ${why}`);
    if (why === null && state.followed) goOn.add(state.name);
  }
  leaveOut(options.rules, windows, cut);
  if (warm > 0) {
    const at = new Date(cut.time).toISOString();
    options.log.info("state", `${warm} rules go on from the checkpoint of ${at}`);
  }
  for (const [key, number] of Object.entries(cut.sinks)) {
    const rule = key.slice(key.indexOf(" of ") + 4);
    if (goOn.has(rule)) sinks.set(key, seqIn(options.streams.get(rule)!, number));
  }
  return { replay, sinks, complete: warm === options.rules.length };
}

function cutOf({ cut }: SavedState, log: Log): Cut | null {
  if (cut === null) return null;
  const raw = unseal(cut);
  if (raw !== null) return JSON.parse(new TextDecoder().decode(raw)) as Cut;
  log.error("state", "the checkpoint is damaged: every rule starts cold");
  return null;
}

/** State and rows of a checkpoint by what they are of, in the order of writing. */
type Segments = ReadonlyMap<string, readonly StoredSegment[]>;

/** Shared windows that the checkpoint has brought: when they began, and the rules that had them. */
type Windows = Map<RuleRunner, { readonly began: number; readonly rules: Set<RuleRunner> }>;

/** True if the window of a rule is that which it had, which this rule or another has brought. */
function isSameWindow({ runner }: RuleState, { window: had }: RuleCut, windows: Windows): boolean {
  const { window } = runner;
  if (window === null) return true;
  if (had === undefined) return false;
  const brought = windows.get(window) ?? { began: had.began, rules: new Set() };
  windows.set(window, brought);
  return brought.began === had.began;
}

/** Of a window with rows from before its time a rule sees none but those that begin later. */
function leaveOut(states: readonly RuleState[], windows: Windows, { time, rules }: Cut): void {
  for (const [window, { began }] of windows) window.restored(began, time);
  for (const { runner, name } of states) {
    const brought = runner.window === null ? undefined : windows.get(runner.window);
    if (brought === undefined) continue;
    runner.since = brought.rules.has(runner) ? rules[name]!.window!.since ?? -Infinity : time;
  }
}

/** Why the rule starts cold, or null. */
async function restoreRule(
  state: RuleState, cut: Cut, segments: Segments,
  { goOn, windows }: { readonly goOn: ReadonlySet<string>; readonly windows: Windows },
  options: Restoring,
): Promise<string | null> {
  const before = cut.rules[state.name];
  if (before === undefined) return "it is new";
  if (before.hash !== state.hash) return "its plan, columns, types or units changed";
  if (!state.followed && cut.time > options.time) return "the clock is behind its state";
  const pages = await pagesOf(state, segments, options.port);
  const same = isSameWindow(state, before, windows);
  if (!state.restore(pages, same)) return "its checkpoint is damaged";
  const { runner: { window } } = state;
  if (same && window !== null) windows.get(window)!.rules.add(state.runner);
  if (state.followed) {
    state.runner.goOn();
    await restoreRings(state, before, segments, options);
  }
  const { runner } = state;
  runner.places.forEach((place, i) => {
    if (goOn.has(place.ring.name)) place.cursor = seqIn(place.ring, before.inputs[i]![1]);
  });
  const inner = state.inner;
  for (const link of runner.links.filter(({ ring }) => inner.includes(ring))) {
    const { ring } = link;
    if (state.followed) link.cursor = seqIn(ring, before.inner[ring.name] ?? 0);
  }
  return null;
}

/** Its rings go on with their numbers, and with the rows that somebody had still to read. */
async function restoreRings(
  state: RuleState, before: RuleCut, segments: Segments, options: Restoring,
): Promise<void> {
  const { output } = state.runner;
  output.numbering.begin(before.epoch, output.head, before.next);
  for (const ring of state.inner) {
    ring.numbering.begin(0, ring.head, before.inner[ring.name] ?? 0);
  }
  for (const ring of [...state.inner, output]) {
    const found = segments.get(ring.name)?.find(({ kind }) => kind === "rows");
    if (found === undefined) continue;
    const content = await contentOf(found.id, options.port);
    if (content === null) {
      options.tell(ring.name, found.rows, "their segment is damaged");
      continue;
    }
    ring.numbering.begin(ring.numbering.epoch, ring.head, found.first);
    unpackRows(content, found.rows, ring, FLAG.replayed);
  }
}

async function pagesOf(
  state: RuleState, segments: Segments, port: StatePort,
): Promise<(Uint8Array | null)[]> {
  // The newest of each page.
  const newest = new Map<number, number>();
  for (const { kind, shape, first, id } of segments.get(state.name) ?? []) {
    if (kind === "state" && shape === state.hash) newest.set(first, id);
  }
  const pages: (Uint8Array | null)[] = [];
  for (let i = 0; i < state.pages.length; i++) {
    pages.push(newest.has(i) ? await contentOf(newest.get(i)!, port) : null);
  }
  return pages;
}

export async function contentOf(id: number, port: StatePort): Promise<Uint8Array | null> {
  const segment = await port.segment(id);
  return segment === null ? null : unseal(segment);
}

/** The sequence of a number; rows before the ring's first were lost. */
function seqIn(ring: Ring, number: number): number {
  return Math.max(0, ring.numbering.seqOf(number));
}

/** What of a journal comes again; its stream is numbered from there. */
function beginReplay(
  journal: Journal, saved: SavedState, cut: Cut | null, { epoch, rules, tell }: Restoring,
): StoredSegment[] {
  const { stream, shape } = journal;
  const mine = saved.journal.filter(({ owner }) => owner === stream.name);
  journal.marks = mine.flatMap(({ marks }) => (JSON.parse(marks) as [number, string][])
    .map(([, mark]) => mark)).slice(-journal.marks_min);
  journal.newest = journal.marks.at(-1) ?? null;
  const before = cut?.sources[stream.name];
  const known = before ?? mine.at(-1);
  if (known === undefined || known.shape !== shape) {
    const gone = mine.filter((segment) => before === undefined || segment.epoch > before.epoch ||
      (segment.epoch === before.epoch && segment.first >= before.next));
    const rows = gone.reduce((sum, segment) => sum + segment.rows, 0);
    if (rows > 0) tell(stream.name, rows, "its columns changed");
    stream.numbering.begin(epoch, stream.head, 0);
    return [];
  }
  const rows = mine.filter((segment) => segment.epoch === known.epoch);
  const first = before === undefined ? rows[0]!.first
    : Math.min(before.next, ...rules.flatMap(({ name }) => cut!.rules[name]?.inputs ?? [])
      .filter(([input]) => input === stream.name).map(([, next]) => next));
  stream.numbering.begin(known.epoch, stream.head, first);
  return rows.filter((segment) => segment.first + segment.rows > first);
}
