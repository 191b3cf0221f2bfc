import { encodeModel, type Constant, type Node, type Value } from "../../examples/demo/onnx.ts";

/** One small model per behaviour that the tests need. */
function model(
  nodes: readonly Node[], inputs: readonly Value[], outputs: readonly Value[],
  constants: readonly Constant[] = [],
): Uint8Array {
  return encodeModel({ name: "test", nodes, inputs, outputs, constants });
}

const x = (shape: readonly (number | string)[], type = 1): Value => ({ name: "x", shape, type });
const y = (shape: readonly (number | string)[], type = 1): Value => ({ name: "y", shape, type });
const one = (op: string, attributes = {}): Node => ({ op, from: ["x"], to: ["y"], attributes });

export const models = {
  /** y = x, for a type of ONNX */
  identity: (type: number, shape: readonly (number | string)[] = [1, 2]) =>
    model([one("Identity")], [x(shape, type)], [y(shape, type)]),
  /** ln x: −∞ at 0, NaN below */
  logarithm: () => model([one("Log")], [x([1, 1])], [y([1, 1])]),
  unknownOperator: () => model([one("Flurbish")], [x([1, 1])], [y([1, 1])]),
  /** Declares [2, 1] and gives [2, 0]: on zeros there is nothing to count. */
  wrongShape: () => model([one("NonZero")], [x([1, 2])], [y([2, 1], 7)]),
  /** 2^20 multiplications a step. */
  slow: (steps: number) => model(
    Array.from({ length: steps }, (_, i) => ({
      op: "MatMul", from: [i === 0 ? "x" : `h${i}`, "w"], to: [i === steps - 1 ? "y" : `h${i + 1}`],
    })),
    [x([1, 1024])], [y([1, 1024])],
    [{ name: "w", shape: [1024, 1024], values: new Float32Array(1 << 20) }],
  ),
  /** A constant of `megabytes` in the file. */
  large: (megabytes: number) => model(
    [{ op: "Add", from: ["x", "w"], to: ["z"] }, { op: "ReduceMax", from: ["z"], to: ["y"] }],
    [x([1, 1])], [y([1, 1])],
    [{ name: "w", shape: [1, megabytes << 18], values: new Float32Array(megabytes << 18).fill(1) }],
  ),
  /** A small file that asks for `megabytes` when it runs. */
  greedy: (megabytes: number) => model(
    [{ op: "Expand", from: ["x", "size"], to: ["z"] }, { op: "ReduceMax", from: ["z"], to: ["y"] }],
    [x([1, 1])], [y([1, 1])],
    [{ name: "size", shape: [2], values: [megabytes, 1 << 18], whole: true }],
  ),
  /** Two inputs, two outputs, in an order of their own. */
  twoByTwo: () => model(
    [
      { op: "Sub", from: ["a", "b"], to: ["difference"] },
      { op: "Add", from: ["a", "b"], to: ["sum"] },
    ],
    [{ name: "a", shape: [2] }, { name: "b", shape: [2] }],
    [{ name: "sum", shape: [2] }, { name: "difference", shape: [2] }],
  ),
};
