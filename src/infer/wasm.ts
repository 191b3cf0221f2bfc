import { Fault, reason } from "../base.ts";

let compiled: Promise<WebAssembly.Module> | null = null;

/**
 * The inference engine, compiled once a thread and shared by its models. A gateway without models
 * never comes here, so that it pays neither time nor memory.
 */
export function engineModule(): Promise<WebAssembly.Module> {
  compiled ??= compile();
  return compiled;
}

async function compile(): Promise<WebAssembly.Module> {
  try {
    const { default: path } = await import("./ort.wasm.zst", { with: { type: "file" } });
    // The bytes are dropped after compiling: keeping them costs 14 MB for good.
    return await WebAssembly.compile(await Bun.zstdDecompress(await Bun.file(path).bytes()));
  } catch (thrown) {
    compiled = null;
    throw new Fault("model-engine", `The inference engine does not start: ${reason(thrown)}`);
  }
}
