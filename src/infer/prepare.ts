import { existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";

/** Slow to pack, fast to unpack: 14.2 MB become 2.5 MB, unpacked in some 30 ms. */
const compression_level = 19;

/**
 * Packs the engine of the installed onnxruntime-web for embedding. A build step, called by
 * `build.ts` and before tests; the file is a product and never committed.
 */
export async function prepareWasm(): Promise<void> {
  const packed = Bun.fileURLToPath(new URL("./ort.wasm.zst", import.meta.url));
  if (existsSync(packed)) return;
  const wasm = Bun.resolveSync("onnxruntime-web/ort-wasm-simd-threaded.wasm", import.meta.dir);
  const bytes = await Bun.zstdCompress(await readFile(wasm), { level: compression_level });
  // Under another name first: two builds at once must not read half a file.
  const half = `${packed}.${process.pid}`;
  await writeFile(half, bytes);
  await rename(half, packed);
}

if (import.meta.main) await prepareWasm();
