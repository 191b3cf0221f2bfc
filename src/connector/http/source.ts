import { Fault, reason, Wait } from "../../base.ts";
import { createDecoder, type RowDecoder } from "../../codec.ts";
import type { ConnectionStatus, ConnectorIo } from "../../connector.ts";
import { GOOD, type Ring } from "../../ring.ts";
import { become } from "../status.ts";
import { fetchBody } from "./client.ts";
import type { SourceSettings } from "./settings.ts";

/**
 * Answers of a web service become rows: asked at a fixed rate, start to start, one request at a
 * time. A request that is not answered yet costs those whose time comes meanwhile.
 */
export class HttpSource {
  readonly #name: string;
  readonly #settings: SourceSettings;
  readonly #decoder: RowDecoder;
  readonly #status: ConnectionStatus;
  readonly #io: ConnectorIo;
  readonly #abort = new AbortController();
  /** Engine time of the last request that was answered, and what it was answered. */
  #since = 0;
  #answer: number | bigint | null = null;
  readonly #wait: Wait;

  constructor(
    name: string, settings: SourceSettings, into: Ring, status: ConnectionStatus, io: ConnectorIo,
  ) {
    this.#name = name;
    this.#settings = settings;
    // What a ring cannot hold would be lost; an answer is taken as a whole or not at all.
    this.#decoder = createDecoder(into, { ...settings, rows_max: into.rows >> 1 });
    this.#status = status;
    this.#io = io;
    this.#wait = new Wait(io.timers);
    void this.#run();
  }

  end(): void {
    this.#abort.abort();
    this.#wait.end();
  }

  async #run(): Promise<void> {
    const { interval } = this.#settings;
    const { signal } = this.#abort;
    let next = this.#io.now();
    while (!signal.aborted) {
      await this.#poll();
      next += Math.max(1, Math.ceil((this.#io.now() - next) / interval)) * interval;
      if (!signal.aborted) await this.#wait.for(next - this.#io.now());
    }
  }

  async #poll(): Promise<void> {
    // Its rows are as old as the question, so that no age is ever too young.
    const time = this.#io.time();
    try {
      const body = await this.#ask(time);
      if (this.#abort.signal.aborted) return;
      this.#become("up", "is answered");
      this.#since = time;
      if (body.length > 0 && this.#isNew(body)) this.#take(body, time);
    } catch (thrown) {
      if (this.#abort.signal.aborted) return;
      this.#failed(reason(thrown));
      this.#become("down", reason(thrown));
    }
  }

  async #ask(time: number): Promise<Uint8Array> {
    const { url, body, timeout, ...rest } = this.#settings;
    const fill = (text: string): string =>
      text.replaceAll("{time}", String(Math.round(time)))
        .replaceAll("{since}", String(Math.round(this.#since)));
    const late = new AbortController();
    const timer = this.#io.timers.after(timeout, () => late.abort());
    try {
      const request = { ...rest, url: fill(url), body: body === undefined ? body : fill(body) };
      const answer = await fetchBody(request, this.#io.message_bytes_max,
        AbortSignal.any([late.signal, this.#abort.signal]));
      if (answer !== null) return answer;
      throw new Fault("http-status", `${this.#name}: the service answers 404`);
    } catch (thrown) {
      if (!late.signal.aborted) throw thrown;
      throw new Fault("http-timeout", `no answer within ${timeout} ms`);
    } finally {
      this.#io.timers.clear(timer);
    }
  }

  /** With `changedOnly`: it differs from the answer before. */
  #isNew(body: Uint8Array): boolean {
    if (!this.#settings.changedOnly) return true;
    const hash = Bun.hash(body);
    const isNew = hash !== this.#answer;
    this.#answer = hash;
    return isNew;
  }

  #take(body: Uint8Array, time: number): void {
    const { refused } = this.#decoder;
    try {
      this.#status.received += this.#decoder.decode(body, time, GOOD, null, this.#io.flags());
      const rows = this.#decoder.refused - refused;
      this.#status.dropped += rows;
      if (rows > 0) this.#failed(this.#decoder.refusal);
      this.#io.wake();
    } catch (thrown) {
      this.#status.dropped++;
      this.#failed(reason(thrown));
    }
  }

  #failed(why: string): void {
    this.#status.errors++;
    this.#status.lastError = `${this.#name}: ${why}`;
  }

  #become(state: "up" | "down", said: string): void {
    become(this.#status, this.#io, `http ${this.#name}`, state, said);
  }
}
