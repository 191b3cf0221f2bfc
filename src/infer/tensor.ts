import { Fault } from "../base.ts";
import type { Port } from "../infer.ts";

/** Element types of ONNX (TensorProto.DataType in onnx.proto3) that a port may have. */
const elements: ReadonlyMap<number, { readonly type: Port["type"]; readonly bytes: number }> =
  new Map([
    [1, { type: "float32", bytes: 4 }],
    [6, { type: "int32", bytes: 4 }],
    [7, { type: "int64", bytes: 8 }],
    [9, { type: "bool", bytes: 1 }],
    [11, { type: "float64", bytes: 8 }],
  ]);

/** A port with its place in the engine's heap. */
export interface Tensor {
  readonly port: Port;
  /** ONNX's number of the element type. */
  readonly code: number;
  /** Dimensions of one run: the batch is 1. */
  readonly dimensions: readonly number[];
  /** Elements and bytes of one run. */
  readonly count: number;
  readonly bytes: number;
}

/**
 * `shape` as the model declares it, −1 = free. Only the first dimension may be free: that is the
 * batch, and a run is one row.
 */
export function describe(name: string, code: number, shape: readonly number[]): Tensor {
  const element = elements.get(code);
  if (element === undefined) {
    const known = [...elements.values()].map((e) => e.type).join(", ");
    throw new Fault("model-type",
      code === 0 ? `"${name}" is no tensor; export the model with plain tensors (no ZipMap)`
        : `"${name}" has element type ${code} of ONNX; what can be used is ${known}`,
      { port: name, type: code });
  }
  const free = shape.findIndex((size, i) => i > 0 && size < 1);
  if (free > 0) {
    throw new Fault("model-shape", `"${name}" has shape [${shape.map(size).join(", ")}]: only ` +
      "the first dimension may be free; export the model with fixed sizes",
      { port: name, dimension: free });
  }
  const dimensions = shape.map((n, i) => (i === 0 && n < 1 ? 1 : n));
  const count = dimensions.reduce((product, n) => product * n, 1);
  const port = { name, type: element.type, shape };
  return { port, code, dimensions, count, bytes: count * element.bytes };
}

const size = (n: number): string => (n < 1 ? "?" : String(n));

/**
 * Copies between float64 and the port's own type, at a fixed place in the heap. False = a value
 * that the type cannot hold exactly (fractions and overflow for whole numbers), or, coming back,
 * one that is not finite: then the run counts as failed.
 */
export interface Port64 {
  put(from: Float64Array, at: number): boolean;
  get(into: Float64Array, at: number): boolean;
}

const int32_max = 2 ** 31 - 1;
const two32 = 2 ** 32;

/** The views stay valid when the heap grows: a shared buffer keeps its place. */
export function bind(tensor: Tensor, heap: ArrayBufferLike, pointer: number): Port64 {
  const { count } = tensor;
  switch (tensor.port.type) {
    case "float32": return floats(new Float32Array(heap, pointer, count));
    case "float64": return floats(new Float64Array(heap, pointer, count));
    case "int32": return wholes(new Int32Array(heap, pointer, count), -int32_max - 1, int32_max);
    case "bool": return wholes(new Uint8Array(heap, pointer, count), 0, 1);
    case "int64": return longs(new Int32Array(heap, pointer, count * 2));
  }
}

function floats(cells: Float32Array | Float64Array): Port64 {
  return {
    put(from, at) {
      for (let i = 0; i < cells.length; i++) cells[i] = from[at + i]!;
      return true;
    },
    get(into, at) {
      let finite = true;
      for (let i = 0; i < cells.length; i++) {
        const value = cells[i]!;
        into[at + i] = value;
        // x − x is 0 for every finite x, and NaN for the others.
        finite &&= value - value === 0;
      }
      return finite;
    },
  };
}

function wholes(cells: Int32Array | Uint8Array, least: number, most: number): Port64 {
  return {
    put(from, at) {
      for (let i = 0; i < cells.length; i++) {
        const value = from[at + i]!;
        if (!(value >= least && value <= most && Math.floor(value) === value)) return false;
        cells[i] = value;
      }
      return true;
    },
    get(into, at) {
      for (let i = 0; i < cells.length; i++) into[at + i] = cells[i]!;
      return true;
    },
  };
}

/** Two words an element, low word first, so that no run makes a BigInt. */
function longs(words: Int32Array): Port64 {
  return {
    put(from, at) {
      for (let i = 0; i < words.length / 2; i++) {
        const value = from[at + i]!;
        if (!Number.isSafeInteger(value)) return false;
        words[2 * i] = value % two32;
        words[2 * i + 1] = Math.floor(value / two32);
      }
      return true;
    },
    get(into, at) {
      let exact = true;
      for (let i = 0; i < words.length / 2; i++) {
        const value = words[2 * i + 1]! * two32 + (words[2 * i]! >>> 0);
        into[at + i] = value;
        exact &&= Number.isSafeInteger(value);
      }
      return exact;
    },
  };
}
