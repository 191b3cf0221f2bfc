import { limits, type Log } from "../base.ts";
import { FLAG, type Ring, unpackRows } from "../ring.ts";
import { seal, type Segment, type StoredSegment } from "../store.ts";
import { Checkpoint, type Cut } from "./checkpoint.ts";
import type { Journal } from "./journal.ts";
import { contentOf, restore } from "./restore.ts";
import type { RuleState } from "./rule-state.ts";
import type { SinkRunner } from "./sink.ts";
import type { StatePort } from "./store-port.ts";

/** What a role gives of itself to be made durable. */
export interface DurabilityOptions {
  readonly port: StatePort;
  readonly log: Log;
  /** ms between two checkpoints at least. */
  readonly interval: number;
  /** Bytes of the journal at most; a checkpoint comes earlier rather than at half of it. */
  readonly journal_bytes_max: number;
  /** Of the start: 0 while the store could not be read. */
  readonly epoch: number;
  time(): number;
  wake(): void;
  /** All that a source had acknowledged has been replayed: it may begin, if it has not. */
  begin(journal: Journal): void;
}

/** What of one generation is to outlast a kill. */
export interface DurableParts {
  readonly streams: ReadonlyMap<string, Ring>;
  readonly journals: readonly Journal[];
  /** In an order in which each reads only what stands before it; none is on the way to a write. */
  readonly rules: readonly RuleState[];
  readonly sinks: readonly SinkRunner[];
}

export interface DurabilityStatus {
  /** Engine time of the last checkpoint since the start. */
  readonly checkpoint: number | null;
  /** Of the journal, that no checkpoint covers. */
  readonly journal_bytes: number;
  /** How often a source had to wait: for its rules, their sinks, or the disk. */
  readonly journal_waits: number;
  /** To journal and checkpoints since the start, packed: what wears a flash. */
  readonly written_bytes: number;
}

/** ms between two attempts at a disk that refused. */
const retry_ms = 500;
const hour_ms = 3_600_000;

/**
 * What of a role outlasts a kill: the state of its rules as checkpoints, and the rows
 * of sources that can wait as a journal. A start takes the last checkpoint, replays the journal
 * past its cursors, and only then lets the sources go on; so state counts each row once.
 */
export class Durability {
  /** Rows that could not be replayed, by stream. */
  readonly lost = new Map<string, number>();
  readonly #options: DurabilityOptions;
  #parts: DurableParts = { streams: new Map(), journals: [], rules: [], sinks: [] };
  /** Rules by the streams that they read. */
  #readers: ReadonlyMap<string, readonly RuleState[]> = new Map();
  /** Sinks by the streams that they drain. */
  #sinks: ReadonlyMap<string, readonly SinkRunner[]> = new Map();
  /** null: nothing is known yet of what was. */
  #replay: StoredSegment[] | null = null;
  #replayed = 0;
  /** A rule began to number its rows anew: no row before a checkpoint knows of it. */
  #fresh = false;
  /** Of the journal, that no checkpoint covers. */
  #journalBytes = 0;
  #written = 0;
  #waits = 0;
  /** Engine time of the last checkpoint. */
  #checkpointTime: number | null = null;
  /** The disk was asked for what was; rules may have run since. */
  #asked = false;
  /** One question at a time to the store. */
  #restoring = false;
  #reading = false;
  #committing = false;
  #writing = false;
  #number = 0;
  /** Of the rules, whose numbers were followed last. */
  #followed = 0;
  #checkpoint: Checkpoint | null = null;
  #checkpointAt = Infinity;
  #writeAt = -Infinity;
  #commitAt = -Infinity;
  #stopped = false;

  constructor(options: DurabilityOptions) {
    this.#options = options;
  }

  /** Another generation runs: what it kept goes on, what is new is numbered anew. */
  adopt(parts: DurableParts): void {
    const before = this.#parts;
    this.#parts = parts;
    this.#checkpoint?.drop();
    this.#checkpoint = null;
    for (const [name, ring] of parts.streams) {
      const was = before.streams.get(name);
      if (was === ring) continue;
      // In one epoch no number is given twice.
      ring.numbering.begin(was?.numbering.epoch ?? this.#options.epoch, ring.head,
        was?.numbering.of(was.head) ?? 0);
    }
    const names = new Set(parts.journals.map(({ stream }) => stream.name));
    this.#replay = this.#replay?.filter(({ owner }) => names.has(owner)) ?? null;
    this.#readers = readersIn(parts.rules);
    this.#sinks = Map.groupBy(parts.sinks, ({ stream }) => stream);
    this.#linkReaders();
    // The next restart is to know of it.
    if (this.#replay !== null) this.#checkpointAt = -Infinity;
    this.start();
  }

  /** Rows that come again are still on their way. */
  get replaying(): boolean {
    return this.#fresh || this.#replay === null || this.#replay.length > 0;
  }

  /** Rows of this engine time and later may yet come again. */
  get replayedUntil(): number {
    if (this.#replay === null || this.#replay.length === 0) return Infinity;
    return this.#replay.reduce((least, { from }) => Math.min(least, from), Infinity);
  }

  get status(): DurabilityStatus {
    return { checkpoint: this.#checkpointTime, journal_bytes: this.#journalBytes,
      journal_waits: this.#waits, written_bytes: this.#written };
  }

  /**
   * Before anything has read a row; and again, for what waits for it, if the disk refused then:
   * other rules have gone on from nothing.
   */
  async restore(now: number): Promise<void> {
    const { port, log, epoch, interval } = this.#options;
    const { streams, journals, rules } = this.#parts;
    const late = this.#asked;
    this.#asked = true;
    this.#restoring = true;
    const saved = await port.saved();
    this.#restoring = saved !== null;
    if (saved === null) {
      if (!late) log.error("state", "journal and checkpoints cannot be read; rules start cold, " +
        "and sources that can wait do");
      return;
    }
    const { replay, sinks, complete } = await restore(saved, {
      port, log, streams, journals, epoch, time: this.#options.time(),
      rules: late ? rules.filter(({ followed }) => followed) : rules,
      tell: (stream, rows, why) => this.#tell(stream, rows, why),
    });
    this.#restoring = false;
    for (const { runner } of rules) runner.mark();
    this.#number = saved.checkpoint;
    for (const sink of this.#parts.sinks) {
      const from = sinks.get(`${sink.name} of ${sink.stream}`);
      if (from !== undefined) sink.goOn(from);
    }
    this.#replay = replay;
    this.#fresh = !complete && journals.length > 0;
    this.#journalBytes = replay.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#checkpointAt = this.#fresh ? now : now + interval;
  }

  /** Sources begin once there is nothing to replay. */
  start(): void {
    if (this.replaying) return;
    for (const journal of this.#parts.journals) this.#options.begin(journal);
  }

  /** Once a turn, after rules and sinks; when it must be asked again. */
  step(now: number): number {
    if (this.#stopped) return Infinity;
    for (const { stream } of this.#parts.journals) stream.numbering.follow(stream.head);
    this.#follow();
    if (this.#replay === null) return this.#stepRestore(now);
    if (this.#replay.length > 0 && !this.#fresh) this.#stepReplay();
    return Math.min(this.#stepJournals(now), this.#stepCheckpoint(now));
  }

  /** Numbers of the rules' rows; of many rules some each turn, as it is not urgent. */
  #follow(): void {
    const { rules } = this.#parts;
    const n = Math.min(rules.length, limits.round_rules);
    for (let i = 0; i < n; i++) {
      this.#followed = (this.#followed + 1) % rules.length;
      const { output } = rules[this.#followed]!.runner;
      output.numbering.follow(output.head);
    }
  }

  /** The last checkpoint: an orderly stop loses nothing. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.replaying) return;
    this.#checkpoint?.drop();
    const last = this.#begin();
    for (let left = true; left;) {
      last.copy(Infinity);
      const part = last.take();
      left = part.length > 0 || !last.copied;
      if (part.length > 0 && !await this.#options.port.put(last.number, part)) return;
    }
    await this.#options.port.finish(last.number, sealCut(last.cut, this.#options.epoch),
      last.covered);
  }

  /** Rules wait for what reads them and comes again after a restart. */
  #linkReaders(): void {
    for (const { followed, runner } of this.#parts.rules) {
      if (!followed) {
        runner.waitFor([]);
        continue;
      }
      const { output } = runner;
      const readers = this.#readersOf(output.name)
        .map((reader) => () => reader.runner.cursorIn(output));
      const waiting = this.#sinksOf(output.name)
        .filter((sink) => sink.ring === output && sink.waits)
        .map((sink) => () => sink.settled);
      runner.waitFor([...readers, ...waiting]);
    }
  }

  #readersOf(stream: string): readonly RuleState[] {
    return this.#readers.get(stream) ?? [];
  }

  #sinksOf(stream: string): readonly SinkRunner[] {
    return this.#sinks.get(stream) ?? [];
  }

  /** Rows of a stream that the slowest of its rules, and of its sinks, has still to read. */
  #unread(stream: Ring): number {
    const cursors = [
      ...this.#readersOf(stream.name).map(({ runner }) => runner.cursorIn(stream)),
      ...this.#sinksOf(stream.name).map(({ settled }) => settled),
    ];
    return Math.max(0, ...cursors.map((cursor) => (stream.head - cursor) | 0));
  }

  #stepRestore(now: number): number {
    // Only what waits for it asks again.
    if (this.#parts.journals.length === 0) return Infinity;
    if (this.#restoring) return Infinity;
    if (now < this.#commitAt) return this.#commitAt;
    this.#commitAt = now + retry_ms;
    void this.restore(now).then(() => {
      this.start();
      this.#options.wake();
    });
    return this.#commitAt;
  }

  #stepReplay(): void {
    const [next] = this.#replay!;
    if (this.#reading || next === undefined) return;
    const { stream } = this.#journal(next.owner);
    if (this.#unread(stream) > stream.rows >> 1) return;
    this.#reading = true;
    void contentOf(next.id, this.#options.port).then((content) => {
      this.#reading = false;
      // Another generation may have given its stream up.
      if (this.#replay![0] !== next) return this.#options.wake();
      this.#take(next, content);
      this.#replay!.shift();
      if (this.#replay!.length === 0) {
        this.#options.log.info("state", `${this.#replayed} rows of the journal were replayed`);
        this.start();
      }
      this.#options.wake();
    });
  }

  #journal(stream: string): Journal {
    return this.#parts.journals.find((journal) => journal.stream.name === stream)!;
  }

  /** Rows of one segment into their stream; what is missing before them is lost. */
  #take({ owner, first, rows, epoch }: StoredSegment, content: Uint8Array | null): void {
    const { stream } = this.#journal(owner);
    const next = stream.numbering.of(stream.head);
    if (first + rows <= next) return;
    if (first > next) this.#skip(stream, epoch, next, first, "segments are missing");
    const skip = Math.max(0, next - first);
    if (content === null) {
      this.#skip(stream, epoch, first + skip, first + rows, "their segment is damaged");
    } else {
      this.#replayed += unpackRows(content, rows, stream, FLAG.replayed, skip);
    }
  }

  /** Rows [from, to) will not come: who has read past them must not wait for as many others. */
  #skip(stream: Ring, epoch: number, from: number, to: number, why: string): void {
    stream.numbering.begin(epoch, stream.head, to);
    for (const { runner } of this.#readersOf(stream.name)) {
      for (const place of runner.places.filter(({ ring }) => ring === stream)) {
        const ahead = (place.cursor - stream.head) | 0;
        if (ahead > 0) place.cursor = (place.cursor - Math.min(ahead, to - from)) | 0;
      }
    }
    this.#tell(stream.name, to - from, why);
  }

  #tell(stream: string, rows: number, why: string): void {
    this.lost.set(stream, (this.lost.get(stream) ?? 0) + rows);
    this.#options.log.error("state", `${rows} rows of ${stream} are lost: ${why}`);
  }

  /** One commit for what all sources have brought since the last. */
  #stepJournals(now: number): number {
    const { journals } = this.#parts;
    if (this.#committing || this.replaying || !journals.some(({ pending }) => pending)) {
      return Infinity;
    }
    if (now < this.#commitAt) return this.#commitAt;
    const taken = journals.map((journal) => ({ journal, ...journal.take(this.#room(journal)) }))
      .filter(({ messages }) => messages > 0);
    // Nothing fits: a rule, or the disk, is slower than its source, which waits.
    if (taken.length === 0) this.#waits += 1;
    if (taken.length === 0) return now + limits.journal_ms_min;
    const segments = taken.flatMap(({ segment }) => segment ?? []);
    this.#commitAt = now + limits.journal_ms_min;
    this.#committing = true;
    const done: Promise<boolean> = segments.length === 0 ? Promise.resolve(true)
      : this.#options.port.journal(segments);
    void done.then((durable) => {
      this.#committing = false;
      if (durable) for (const { journal, messages } of taken) journal.settle(messages);
      else this.#refused();
      if (durable) this.#count(segments);
      this.#options.wake();
    });
    return Infinity;
  }

  #room({ stream }: Journal): number {
    const full = this.#journalBytes >= this.#options.journal_bytes_max;
    return full || this.#unread(stream) > stream.rows >> 1 ? 0 : stream.rows >> 1;
  }

  #count(segments: readonly Segment[]): void {
    for (const { content, marks } of segments) {
      this.#written += content.length + marks.length;
      this.#journalBytes += content.length + marks.length;
    }
    const { journal_bytes_max } = this.#options;
    if (this.#journalBytes >= journal_bytes_max / 2) this.#checkpointAt = -Infinity;
  }

  /** Whatever the disk has now may not be what it had. */
  #refused(): void {
    this.#waits += 1;
    for (const state of this.#parts.rules) state.forget();
  }

  #stepCheckpoint(now: number): number {
    if (this.#writing || (this.replaying && !this.#fresh)) return Infinity;
    this.#checkpoint ??= now < this.#checkpointAt ? null : this.#begin();
    const checkpoint = this.#checkpoint;
    if (checkpoint === null) return this.#checkpointAt;
    checkpoint.copy(limits.checkpoint_turn_bytes);
    // Rules stand still until all is copied, so that comes first.
    if (!checkpoint.copied && !checkpoint.full) return now;
    if (now < this.#writeAt) return this.#writeAt;
    const part = checkpoint.take();
    this.#writing = true;
    this.#writeAt = now + limits.checkpoint_commit_ms;
    void this.#write(checkpoint, part).then((durable) => {
      this.#writing = false;
      if (this.#checkpoint !== checkpoint) return this.#options.wake();
      if (!durable) checkpoint.drop();
      if (!durable || part.length === 0) this.#end(checkpoint, durable, now);
      this.#options.wake();
    });
    return Infinity;
  }

  #write(checkpoint: Checkpoint, part: readonly Segment[]): Promise<boolean> {
    const { port, epoch } = this.#options;
    const { number, cut, covered } = checkpoint;
    return part.length > 0 ? port.put(number, part)
      : port.finish(number, sealCut(cut, epoch), covered);
  }

  #end({ bytes, cut, journalBytes }: Checkpoint, durable: boolean, now: number): void {
    const { interval } = this.#options;
    this.#checkpoint = null;
    this.#written += bytes;
    if (durable && this.#fresh) {
      this.#fresh = false;
      this.start();
    }
    if (durable) this.#checkpointTime = cut.time;
    if (durable) this.#journalBytes -= journalBytes;
    const wear = bytes / limits.checkpoint_bytes_per_hour * hour_ms;
    this.#checkpointAt = now + (durable ? Math.max(interval, wear) : retry_ms);
  }

  /** All rules at one moment: between two turns. */
  #begin(): Checkpoint {
    const { rules, journals, sinks, streams } = this.#parts;
    const cut: Cut = {
      time: this.#options.time(),
      rules: Object.fromEntries(rules.map((state) => [state.name, state.cut()])),
      sources: Object.fromEntries(journals.map(({ stream, shape }) => [stream.name, {
        shape, epoch: stream.numbering.epoch, next: stream.numbering.of(stream.head),
      }])),
      sinks: Object.fromEntries(sinks.map((sink) => [`${sink.name} of ${sink.stream}`,
        streams.get(sink.stream)!.numbering.of(sink.settled)])),
    };
    const covered = journals.map(({ stream, marks_min }) => ({
      owner: stream.name, epoch: stream.numbering.epoch,
      first: stream.numbering.of(stream.head) - this.#unread(stream),
      keep: marks_min,
    }));
    const tails = rules.filter(({ followed }) => followed)
      .flatMap((state) => state.tails(this.#unread(state.runner.output)));
    this.#number += 1;
    return new Checkpoint(this.#number, cut, covered, rules, tails, this.#journalBytes);
  }
}

function readersIn(rules: readonly RuleState[]): Map<string, RuleState[]> {
  const found = new Map<string, RuleState[]>();
  for (const state of rules) {
    const { inputs } = state.runner.plan.program;
    for (const name of new Set(inputs.flatMap(({ streams }) => streams))) {
      const readers = found.get(name);
      if (readers === undefined) found.set(name, [state]);
      else readers.push(state);
    }
  }
  return found;
}

function sealCut(cut: Cut, epoch: number): Segment {
  const states = Object.entries(cut.rules).map(([name, { hash }]) => `${name} ${hash}`);
  return seal({
    kind: "cut", owner: "", epoch, first: 0, rows: 0, from: cut.time, to: cut.time, shape: "",
    marks: JSON.stringify(states),
  }, new TextEncoder().encode(JSON.stringify(cut)));
}
