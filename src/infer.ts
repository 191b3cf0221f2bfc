/** Models behind one contract, whatever runs them. */
export interface Model {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Bytes of memory the model may use at most (its cap). */
  readonly bytes: number;
  /** Median of the probe runs after warm-up, ms. */
  readonly probe: number;
  /** The gathered input: one float64 per argument of `infer('name', a, b, …)`, in order. */
  readonly arguments: Float64Array;
  /** What the last run gave, flattened over the outputs in order. */
  readonly results: Float64Array;
  /**
   * Runs on `arguments`, synchronously. False = the model failed or gave something that is not
   * finite; `results` is then not to be used.
   */
  run(): boolean;
  close(): void;
}

export interface Port {
  readonly name: string;
  readonly type: "float32" | "float64" | "int32" | "int64" | "bool";
  /** −1 is a free dimension (batch). */
  readonly shape: readonly number[];
}

export interface ModelSettings {
  readonly name: string;
  /** Bytes of the model file. */
  readonly file: Uint8Array;
  /** Hard cap of the model's heap, bytes. */
  readonly memory: number;
  /** ms; a model whose median probe run after warm-up is over it is refused at load. */
  readonly deadline: number;
}

export { loadOnnx, openOnnx } from "./infer/onnx.ts";
export { readModel } from "./infer/load.ts";
