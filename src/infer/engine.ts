import { Fault, reason } from "../base.ts";
import { engineModule } from "./wasm.ts";

/** One instance of the engine with a heap of its own. Pointers are byte offsets into `memory`. */
export interface Engine {
  readonly memory: WebAssembly.Memory;
  readonly api: Api;
}

/** What the engine exports (onnxruntime-web, wasm-types.ts). 0 = good, where a code is given. */
export interface Api {
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  stackSave(): number;
  stackRestore(stack: number): void;
  stackAlloc(bytes: number): number;
  UTF8ToString(pointer: number): string;
  _OrtInit(threads: number, logLevel: number): number;
  _OrtGetLastError(code: number, message: number): number;
  _OrtCreateSessionOptions(
    optimization: number, arena: boolean, pattern: boolean, execution: number, profiling: boolean,
    prefix: number, logId: number, logSeverity: number, logVerbosity: number, optimizedPath: number,
  ): number;
  _OrtReleaseSessionOptions(options: number): number;
  _OrtCreateSession(bytes: number, length: number, options: number): number;
  _OrtReleaseSession(session: number): number;
  _OrtGetInputOutputCount(session: number, inputs: number, outputs: number): number;
  _OrtGetInputOutputMetadata(
    session: number, index: number, name: number, metadata: number,
  ): number;
  _OrtFree(pointer: number): number;
  _OrtCreateTensor(
    type: number, data: number, bytes: number, dimensions: number, rank: number, location: number,
  ): number;
  _OrtReleaseTensor(tensor: number): number;
  _OrtRun(
    session: number, inputNames: number, inputs: number, inputCount: number,
    outputNames: number, outputCount: number, outputs: number, options: number,
  ): number;
}

export const page_bytes = 65536;
/** The engine declares 256 pages as its least memory; less cannot be linked. */
export const engine_pages_min = 256;
/** Below this the engine says nothing of its own; its errors are asked for. */
const log_fatal = 4;

let last: Promise<unknown> = Promise.resolve();

/** An instance whose heap cannot grow past `pages`. One after the other: see `instantiate`. */
export function createEngine(pages: number): Promise<Engine> {
  const engine = last.then(() => instantiate(pages));
  last = engine.catch(() => undefined);
  return engine;
}

/**
 * The glue makes its own memory with a maximum of 4 GiB and takes no other, and replaces
 * `globalThis.Worker` by Node's, on which a later `onmessage` hangs silently. So for the moment of
 * starting, `WebAssembly.Memory` lowers the maximum, and both globals are put back before anything
 * else can run with them. This is why instances start one after the other.
 */
async function instantiate(pages: number): Promise<Engine> {
  const module = await engineModule();
  const { default: factory } = await import("onnxruntime-web/ort-wasm-simd-threaded.mjs");
  const { Worker } = globalThis;
  const { Memory } = WebAssembly;
  const restore = (): void => {
    globalThis.Worker = Worker;
    WebAssembly.Memory = Memory;
  };
  let memory: WebAssembly.Memory | null = null;
  const broken = Promise.withResolvers<never>();
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super({ ...descriptor, maximum: pages });
      memory = this;
    }
  };
  const settings = {
    numThreads: 1,
    instantiateWasm(
      imports: Bun.WebAssembly.Imports,
      started: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
    ): void {
      restore();
      WebAssembly.instantiate(module, withoutMailbox(imports))
        .then((instance) => started(instance, module), broken.reject);
    },
  };
  try {
    const api = await Promise.race([factory(settings), broken.promise]) as unknown as Api;
    if (memory === null) throw new Error("the engine made no memory");
    if (api._OrtInit(1, log_fatal) !== 0) throw new Error(lastError({ memory, api }));
    return { memory, api };
  } catch (thrown) {
    throw new Fault("model-engine", `The inference engine does not start: ${reason(thrown)}`);
  } finally {
    restore();
  }
}

/**
 * The glue waits for letters from other threads of its instance, by a promise that never ends and
 * keeps the whole heap after `close`. There are no other threads, so nobody needs to wait. The
 * import's name is shortened by its build; what it calls is not.
 */
function withoutMailbox(imports: Bun.WebAssembly.Imports): Bun.WebAssembly.Imports {
  const silent = (functions: Bun.WebAssembly.ModuleImports): Bun.WebAssembly.ModuleImports =>
    Object.fromEntries(Object.entries(functions).map(([name, value]) =>
      [name, /\bwaitAsync\b/.test(String(value)) ? () => undefined : value]));
  return Object.fromEntries(Object.entries(imports).map(([name, part]) => [name, silent(part)]));
}

/** What the engine says of its last failure, in one line. */
export function lastError(engine: Engine): string {
  const { api, memory } = engine;
  const stack = api.stackSave();
  const at = api.stackAlloc(8);
  api._OrtGetLastError(at, at + 4);
  const message = new Uint32Array(memory.buffer)[(at + 4) / 4]!;
  api.stackRestore(stack);
  if (message === 0) return "no reason given";
  return api.UTF8ToString(message).replaceAll(/\s+/g, " ").trim();
}
