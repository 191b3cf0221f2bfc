import { readFile } from "node:fs/promises";
import { Fault, reason } from "../base.ts";

/** Bytes of a model file; a Fault that says why there are none. */
export async function readModel(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (thrown) {
    throw new Fault("model-file",
      `The model file ${path} cannot be read: ${reason(thrown)}`, { path });
  }
}
