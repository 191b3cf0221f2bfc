import { Fault, reason, Wait } from "../../base.ts";
import { createDecoder, type RowDecoder } from "../../codec.ts";
import type { ConnectionStatus, ConnectorIo, Intake } from "../../connector.ts";
import { type ColumnSpec, GOOD, type Ring } from "../../ring.ts";
import { become } from "../status.ts";
import type { SourceSettings } from "./settings.ts";
import { jsonOfRecord, readRecord, separatorOf } from "./csv.ts";
import { type Filled, RecordFile } from "./records.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Records of a file become rows of a stream, in order and as fast as they are taken, or one every
 * `interval`. Where it was is the mark of each commit, so that a restart reads on behind the last
 * row that was durable.
 */
export class FileSource {
  readonly #name: string;
  readonly #settings: SourceSettings;
  readonly #decoder: RowDecoder;
  readonly #columns: ReadonlyMap<string, ColumnSpec>;
  readonly #intake: Intake;
  readonly #status: ConnectionStatus;
  readonly #io: ConnectorIo;
  #file: RecordFile | null = null;
  #header: readonly string[] | null = null;
  /** Of the place behind the last record that was taken; null: nothing was ever. */
  #mark: string | null;
  #nextAt = -Infinity;
  #ended = false;
  readonly #wait: Wait;

  constructor(
    name: string, settings: SourceSettings, into: Ring, intake: Intake,
    status: ConnectionStatus, io: ConnectorIo,
  ) {
    this.#name = name;
    this.#settings = settings;
    this.#decoder = createDecoder(into, { ...settings, format: "json", rows_max: 1 });
    // Without declared columns each field is a text, and the whole record an object of texts.
    this.#columns = new Map(into.layout.columns
      .filter(({ path }) => path === undefined)
      .map((spec) => [spec.name, spec]));
    this.#intake = intake;
    this.#mark = intake.newest;
    this.#status = status;
    this.#io = io;
    this.#wait = new Wait(io.timers);
    void this.#run();
  }

  end(): void {
    this.#ended = true;
    this.#wait.end();
  }

  async #run(): Promise<void> {
    let isDone = false;
    while (!this.#ended && !isDone) {
      try {
        isDone = await this.#look();
      } catch (thrown) {
        this.#failed(reason(thrown));
        await this.#leave();
      }
      if (!this.#ended && !isDone) await this.#wait.for(this.#settings.poll);
    }
    await this.#leave();
  }

  /** Reads what is there; true: no more is awaited. */
  async #look(): Promise<boolean> {
    this.#file ??= await this.#open();
    const file = this.#file;
    if (file === null) return false;
    const { follow } = this.#settings;
    if (await this.#readToEnd(file) === "other") {
      await this.#leave();
    } else if (follow && !await file.isNamed()) {
      // What was appended to the old one meanwhile comes first.
      if (await this.#readToEnd(file) === "end") this.#takeRest(file);
      await this.#leave();
    } else if (!follow) {
      this.#takeRest(file);
      this.#finish();
    }
    return !follow && this.#file !== null;
  }

  /** At the place where it was, if it is still the same file; null: it has no header yet. */
  async #open(): Promise<RecordFile | null> {
    const file = await RecordFile.open(this.#settings.file);
    try {
      if (this.#settings.format === "csv" && !await this.#readHeader(file)) {
        await file.close();
        this.#failed(`${this.#settings.file} has no header line yet`);
        return null;
      }
      if (this.#mark === null && this.#settings.from === "end") await file.goToEnd();
      if (this.#mark !== null && !await file.goTo(this.#mark)) {
        this.#io.log.warn(`file ${this.#name}`, `${this.#settings.file} is another file than ` +
          "before: it is read from its beginning");
      }
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
    this.#mark = file.mark;
    become(this.#status, this.#io, `file ${this.#name}`, "up", `reads ${this.#settings.file}`);
    return file;
  }

  async #readHeader(file: RecordFile): Promise<boolean> {
    const { header, delimiter } = this.#settings;
    const separator = (line: string): string => delimiter ?? separatorOf(line);
    if (header !== undefined) {
      this.#header = header;
      file.separator = separator("").charCodeAt(0);
      return true;
    }
    let line: Uint8Array | null = null;
    while (line === null && await file.fill() === "more") line = file.next();
    if (line === null) return false;
    const text = decoder.decode(line);
    file.separator = separator(text).charCodeAt(0);
    this.#header = readRecord(text, 0, separator(text)).fields.map((name) => name.trim());
    const missing = [...this.#columns.keys()].find((name) => !this.#header!.includes(name));
    if (missing === undefined) return true;
    throw new Fault("csv-column", `${this.#settings.file} has no column ${missing}; its header ` +
      `has ${this.#header.join(", ")}`);
  }

  async #readToEnd(file: RecordFile): Promise<Filled> {
    for (;;) {
      while (await this.#batch(file));
      const filled = this.#ended ? "end" : await file.fill();
      if (filled !== "more") return filled;
    }
  }

  /** Records that were read already become one commit; false: there is none. */
  async #batch(file: RecordFile): Promise<boolean> {
    const { interval } = this.#settings;
    if (!this.#intake.open) await this.#wait.until((go) => this.#intake.whenOpen(go));
    const early = this.#nextAt - this.#io.now();
    if (early > 0) await this.#wait.for(early);
    const rows_max = interval === undefined ? this.#intake.rows_max : 1;
    let taken = 0;
    while (!this.#ended && taken < rows_max && this.#take(() => file.next())) taken++;
    if (taken === 0) return false;
    // What could not be kept to is not made up for by a burst.
    if (interval !== undefined) {
      const now = this.#io.now();
      this.#nextAt = (this.#nextAt > now - interval ? this.#nextAt : now) + interval;
    }
    this.#commit(file);
    return true;
  }

  #commit(file: RecordFile): void {
    this.#mark = file.mark;
    this.#intake.commit(file.mark, () => undefined);
    this.#io.wake();
  }

  /** One record as a row, if there is one; a damaged one is counted. */
  #take(next: () => Uint8Array | null): boolean {
    const { refused } = this.#decoder;
    try {
      const record = next();
      if (record === null) return false;
      if (!isBlank(record)) {
        this.#status.received += this.#decoder.decode(
          this.#message(record), this.#io.time(), GOOD, null, this.#io.flags());
      }
      if (this.#decoder.refused > refused) this.#damaged(this.#decoder.refusal);
    } catch (thrown) {
      this.#damaged(reason(thrown));
    }
    return true;
  }

  #damaged(why: string): void {
    this.#status.dropped++;
    this.#status.errors++;
    this.#status.lastError = `${this.#name}: ${why}`;
  }

  #message(record: Uint8Array): Uint8Array {
    if (this.#header === null) return record;
    const separator = String.fromCharCode(this.#file!.separator!);
    const { fields } = readRecord(decoder.decode(record), 0, separator);
    return encoder.encode(jsonOfRecord(fields, this.#header, this.#columns));
  }

  /** Where nothing is awaited any more, a last line without a line end is one, too. */
  #takeRest(file: RecordFile): void {
    if (!this.#ended && this.#take(() => file.rest())) this.#commit(file);
  }

  #finish(): void {
    const { received, dropped } = this.#status;
    this.#status.reason = `read to its end: ${received} rows, ${dropped} damaged`;
    this.#io.log.info(`file ${this.#name}`, `${this.#settings.file} is ${this.#status.reason}`);
  }

  async #leave(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  #failed(why: string): void {
    this.#status.errors++;
    this.#status.lastError = why;
    become(this.#status, this.#io, `file ${this.#name}`, "down", why);
  }
}

/** Nothing but spaces. */
function isBlank(record: Uint8Array): boolean {
  for (const byte of record) if (byte > 0x20) return false;
  return true;
}
