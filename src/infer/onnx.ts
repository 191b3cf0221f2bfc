import { assert, Fault, formatDuration, reason, systemClock } from "../base.ts";
import type { Model, ModelSettings, Port } from "../infer.ts";
import { createEngine, engine_pages_min, lastError, page_bytes, type Engine } from "./engine.ts";
import { bind, describe, type Port64, type Tensor } from "./tensor.ts";

/** A cold engine runs the first thousands of times interpreted: warmed up before it is judged. */
const warm_runs_max = 2000;
const warm_ms_max = 1000;
const probe_runs_max = 101;
const probe_runs_min = 3;
const probe_ms_max = 500;
/** onnxruntime's own numbers: all graph optimisations; sequential; silent; data in plain memory. */
const optimize_all = 99;
const sequential = 0;
const silent = 4;
const plain_memory = 1;
/** How the engine says that its heap is full. */
const out_of_memory = "bad_alloc";

/**
 * An ONNX model on an engine instance of its own, so that its cap is its own and its failure hurts
 * nothing else. Inputs and outputs are bound to fixed places of the heap once; a run is
 * one synchronous call, and copies nothing but the row.
 */
export async function loadOnnx(settings: ModelSettings): Promise<Model> {
  const model = await openOnnx(settings);
  try {
    model.probe = probe(model, settings);
    return model;
  } catch (thrown) {
    model.close();
    throw thrown;
  }
}

/** The same without a run: what it takes and gives, however fast this machine is (`check`). */
export async function openOnnx(settings: ModelSettings): Promise<OnnxModel> {
  const pages = Math.floor(settings.memory / page_bytes);
  if (pages < engine_pages_min) {
    throw new Fault("model-memory", `Model ${settings.name}: the engine alone needs ` +
      `${engine_pages_min * page_bytes / 2 ** 20} MB; raise "memory"`,
      { model: settings.name, memory: settings.memory });
  }
  const engine = await createEngine(pages);
  return new OnnxModel(settings, openSession(engine, settings));
}

interface Session {
  readonly engine: Engine;
  readonly handle: number;
  readonly inputs: readonly Bound[];
  readonly outputs: readonly Bound[];
  /** Pointers to arrays of pointers, as `_OrtRun` takes them. */
  readonly inputNames: number;
  readonly inputValues: number;
  readonly outputNames: number;
  readonly outputValues: number;
}

interface Bound {
  readonly tensor: Tensor;
  readonly name: number;
  readonly handle: number;
  readonly cells: Port64;
}

class OnnxModel implements Model {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly bytes: number;
  readonly arguments: Float64Array;
  readonly results: Float64Array;
  probe = 0;
  #session: Session | null;

  constructor(settings: ModelSettings, session: Session) {
    this.name = settings.name;
    this.bytes = settings.memory;
    this.inputs = session.inputs.map(({ tensor }) => tensor.port);
    this.outputs = session.outputs.map(({ tensor }) => tensor.port);
    this.arguments = new Float64Array(elements(session.inputs));
    this.results = new Float64Array(elements(session.outputs));
    this.#session = session;
  }

  run(): boolean {
    const session = this.#session;
    if (session === null) return false;
    let at = 0;
    for (let i = 0; i < session.inputs.length; i++) {
      const { tensor, cells } = session.inputs[i]!;
      if (!cells.put(this.arguments, at)) return false;
      at += tensor.count;
    }
    if (this.execute() !== 0) return false;
    let good = true;
    at = 0;
    for (let i = 0; i < session.outputs.length; i++) {
      const { tensor, cells } = session.outputs[i]!;
      good = cells.get(this.results, at) && good;
      at += tensor.count;
    }
    return good;
  }

  /** The engine's code, 0 = good; −1 after its instance broke, which is for good. */
  execute(): number {
    const s = this.#session;
    if (s === null) return -1;
    try {
      return s.engine.api._OrtRun(
        s.handle, s.inputNames, s.inputValues, s.inputs.length,
        s.outputNames, s.outputs.length, s.outputValues, 0,
      );
    } catch {
      // A trap or an abort leaves the instance in a state nobody knows: it is never entered again.
      this.#session = null;
      return -1;
    }
  }

  lastError(): string {
    return this.#session === null ? "it broke its engine" : lastError(this.#session.engine);
  }

  close(): void {
    const session = this.#session;
    this.#session = null;
    if (session === null) return;
    const { api } = session.engine;
    for (const { handle } of [...session.inputs, ...session.outputs]) api._OrtReleaseTensor(handle);
    api._OrtReleaseSession(session.handle);
    // The instance and its heap go with the last reference to it.
  }
}

const elements = (bound: readonly Bound[]): number =>
  bound.reduce((sum, { tensor }) => sum + tensor.count, 0);

/** The median of runs on zeros, ms; a model that cannot run or is over its deadline is refused. */
function probe(model: OnnxModel, settings: ModelSettings): number {
  const values = { model: settings.name };
  const clock = systemClock();
  let started = clock.now();
  for (let i = 0; i < warm_runs_max && clock.now() - started < warm_ms_max; i++) {
    if (model.execute() === 0) continue;
    const text = model.lastError();
    if (text.includes(out_of_memory)) throw tooLarge(settings);
    throw new Fault("model-failed", `Model ${settings.name} fails when it runs: ${text}`, values);
  }
  const times: number[] = [];
  started = clock.now();
  while (times.length < probe_runs_max) {
    const before = clock.now();
    if (times.length >= probe_runs_min && before - started > probe_ms_max) break;
    model.execute();
    times.push(clock.now() - before);
  }
  const median = times.sort((a, b) => a - b)[times.length >> 1]!;
  if (median > settings.deadline) {
    throw new Fault("model-too-slow", `Model ${settings.name} takes ${formatDuration(median)} on ` +
      `this machine, and its deadline is ${formatDuration(settings.deadline)}`,
      { ...values, probe: median, deadline: settings.deadline });
  }
  return median;
}

function openSession(engine: Engine, settings: ModelSettings): Session {
  const handle = createSession(engine, settings);
  const { api } = engine;
  const stack = api.stackSave();
  const at = api.stackAlloc(8);
  const code = api._OrtGetInputOutputCount(handle, at, at + 4);
  const [inputCount, outputCount] = words(engine, at, 2);
  api.stackRestore(stack);
  if (code !== 0) throw invalid(engine, settings);
  const bound: Bound[] = [];
  for (let i = 0; i < inputCount! + outputCount!; i++) {
    bound.push(bindPort(engine, settings, handle, i));
  }
  const inputs = bound.slice(0, inputCount);
  const outputs = bound.slice(inputCount);
  if (inputs.length === 0 || outputs.length === 0) {
    throw new Fault("model-shape", `Model ${settings.name} has ${inputs.length} inputs and ` +
      `${outputs.length} outputs; it needs at least one of each`, { model: settings.name });
  }
  return {
    engine, handle, inputs, outputs,
    inputNames: pointers(engine, settings, inputs.map((b) => b.name)),
    inputValues: pointers(engine, settings, inputs.map((b) => b.handle)),
    outputNames: pointers(engine, settings, outputs.map((b) => b.name)),
    outputValues: pointers(engine, settings, outputs.map((b) => b.handle)),
  };
}

function createSession(engine: Engine, settings: ModelSettings): number {
  const { api } = engine;
  const file = take(engine, settings, settings.file.length);
  new Uint8Array(engine.memory.buffer).set(settings.file, file);
  const options = api._OrtCreateSessionOptions(
    optimize_all, false, false, sequential, false, 0, 0, silent, 0, 0,
  );
  assert(options !== 0, "onnx: options of a session");
  let session = 0;
  try {
    session = api._OrtCreateSession(file, settings.file.length, options);
  } catch (thrown) {
    throw new Fault("model-invalid", `Model ${settings.name} breaks the engine: ${reason(thrown)}`,
      { model: settings.name });
  }
  if (session === 0) throw invalid(engine, settings);
  api._OrtReleaseSessionOptions(options);
  api._free(file);
  return session;
}

/** Describes one port (inputs first, then outputs) and binds it to a place in the heap. */
function bindPort(engine: Engine, settings: ModelSettings, session: number, index: number): Bound {
  const { api } = engine;
  const stack = api.stackSave();
  const at = api.stackAlloc(8);
  if (api._OrtGetInputOutputMetadata(session, index, at, at + 4) !== 0) {
    throw invalid(engine, settings);
  }
  const [name, metadata] = words(engine, at, 2) as [number, number];
  api.stackRestore(stack);
  // | element type | rank | name of dimension × rank (0 = fixed) | size of dimension × rank |
  const [code, rank] = words(engine, metadata, 2) as [number, number];
  const names = code === 0 ? [] : words(engine, metadata + 8, rank);
  const sizes = code === 0 ? [] : words(engine, metadata + 8 + 4 * rank, rank);
  const shape = names.map((dimension, i) => (dimension !== 0 ? -1 : sizes[i]! | 0));
  api._OrtFree(metadata);
  const tensor = within(settings, () => describe(api.UTF8ToString(name), code, shape));
  const cells = take(engine, settings, Math.max(8, tensor.bytes));
  new Uint8Array(engine.memory.buffer, cells, tensor.bytes).fill(0);
  const dimensions = pointers(engine, settings, tensor.dimensions);
  const handle = api._OrtCreateTensor(
    tensor.code, cells, tensor.bytes, dimensions, tensor.dimensions.length, plain_memory,
  );
  if (handle === 0) throw invalid(engine, settings);
  api._free(dimensions);
  return { tensor, name, handle, cells: bind(tensor, engine.memory.buffer, cells) };
}

/** A Fault of a port gets the model's name before its sentence. */
function within<T>(settings: ModelSettings, what: () => T): T {
  try {
    return what();
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    throw new Fault(thrown.code, `Model ${settings.name}: ${thrown.message}`,
      { ...thrown.values, model: settings.name });
  }
}

const words = (engine: Engine, at: number, n: number): number[] =>
  [...new Uint32Array(engine.memory.buffer, at, n)];

function pointers(engine: Engine, settings: ModelSettings, values: readonly number[]): number {
  const at = take(engine, settings, Math.max(4, values.length * 4));
  new Uint32Array(engine.memory.buffer).set(values, at / 4);
  return at;
}

/** Heap of the engine. 0 means full: writing there would break the instance. */
function take(engine: Engine, settings: ModelSettings, bytes: number): number {
  const at = engine.api._malloc(bytes);
  if (at === 0) throw tooLarge(settings);
  return at;
}

function tooLarge(settings: ModelSettings): Fault {
  return new Fault("model-memory", `Model ${settings.name} does not fit in its ` +
    `${Math.floor(settings.memory / 2 ** 20)} MB; raise "memory"`,
    { model: settings.name, memory: settings.memory });
}

function invalid(engine: Engine, settings: ModelSettings): Fault {
  const text = lastError(engine);
  if (text.includes(out_of_memory)) return tooLarge(settings);
  return new Fault("model-invalid", `Model ${settings.name} cannot be loaded: ${text}`,
    { model: settings.name });
}
