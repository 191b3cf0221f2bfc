/**
 * Writes ONNX files by hand (onnx.proto3 in protobuf's wire format), so that the demo's model and the
 * tests' models need no tool. Only what they use.
 */
export interface Graph {
  readonly name: string;
  readonly doc?: string;
  readonly nodes: readonly Node[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly constants: readonly Constant[];
  readonly opset?: number;
}

export interface Node {
  readonly op: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** INT attributes; a text is a STRING attribute. */
  readonly attributes?: Readonly<Record<string, number | string>>;
}

export interface Value {
  readonly name: string;
  /** TensorProto.DataType; 1 = float32. */
  readonly type?: number;
  /** A text is the name of a free dimension. */
  readonly shape: readonly (number | string)[];
}

/** A float32 tensor, or int64 if `whole`. */
export interface Constant {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
  readonly whole?: boolean;
}

const encoder = new TextEncoder();
const float32 = 1;
const int64 = 7;

/** Unsigned LEB128: seven bits a byte, lowest first, the top bit says that more follow. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}

const number = (field: number, value: number): number[] => [...varint(field * 8), ...varint(value)];

function bytes(field: number, content: ArrayLike<number>): number[] {
  return [...varint(field * 8 + 2), ...varint(content.length), ...Array.from(content)];
}

const text = (field: number, content: string): number[] => bytes(field, encoder.encode(content));

/** The bytes of a ModelProto, IR version 8. */
export function encodeModel(graph: Graph): Uint8Array {
  const opset = number(2, graph.opset ?? 17);
  return Uint8Array.from([
    ...number(1, 8), ...text(2, "tagwerk demo"), ...text(6, graph.doc ?? ""),
    ...bytes(7, encodeGraph(graph)), ...bytes(8, opset),
  ]);
}

function encodeGraph(graph: Graph): number[] {
  return [
    ...graph.nodes.flatMap((node) => bytes(1, encodeNode(node))),
    ...text(2, graph.name),
    ...graph.constants.flatMap((constant) => bytes(5, encodeConstant(constant))),
    ...graph.inputs.flatMap((value) => bytes(11, encodeValue(value))),
    ...graph.outputs.flatMap((value) => bytes(12, encodeValue(value))),
  ];
}

function encodeNode({ op, from, to, attributes = {} }: Node): number[] {
  return [
    ...from.flatMap((name) => text(1, name)), ...to.flatMap((name) => text(2, name)), ...text(4, op),
    ...Object.entries(attributes).flatMap(([name, value]) => bytes(5, typeof value === "number"
      ? [...text(1, name), ...number(3, value), ...number(20, 2)]
      : [...text(1, name), ...text(4, value), ...number(20, 3)])),
  ];
}

function encodeValue({ name, type = float32, shape }: Value): number[] {
  const dimensions = shape.flatMap((n) => bytes(1, typeof n === "number" ? number(1, n) : text(2, n)));
  const tensor = [...number(1, type), ...bytes(2, dimensions)];
  return [...text(1, name), ...bytes(2, bytes(1, tensor))];
}

function encodeConstant({ name, shape, values, whole = false }: Constant): number[] {
  const raw = whole ? BigInt64Array.from(Array.from(values, BigInt)) : Float32Array.from(values);
  return [
    ...shape.flatMap((n) => number(1, n)), ...number(2, whole ? int64 : float32),
    ...text(8, name), ...bytes(9, new Uint8Array(raw.buffer)),
  ];
}
