/**
 * Writes ONNX files by hand (onnx.proto3 in protobuf's wire format), so that the demo's model and
 * the tests' models need no tool. Only what they use.
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
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.of(...bytes, rest);
}

/** A field of wire type 0, a number. */
const number = (field: number, value: number): Uint8Array =>
  Buffer.concat([varint(field * 8), varint(value)]);

/** A field of wire type 2: bytes, a text, or the parts of a message. */
function bytes(field: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

const text = (field: number, content: string): Uint8Array => bytes(field, encoder.encode(content));

/** The bytes of a ModelProto, IR version 8. */
export function encodeModel(graph: Graph): Uint8Array {
  return Buffer.concat([
    number(1, 8), text(2, "tagwerk demo"), text(6, graph.doc ?? ""),
    bytes(7, ...encodeGraph(graph)), bytes(8, number(2, graph.opset ?? 17)),
  ]);
}

function encodeGraph(graph: Graph): Uint8Array[] {
  return [
    ...graph.nodes.map((node) => bytes(1, ...encodeNode(node))),
    text(2, graph.name),
    ...graph.constants.map((constant) => bytes(5, ...encodeConstant(constant))),
    ...graph.inputs.map((value) => bytes(11, ...encodeValue(value))),
    ...graph.outputs.map((value) => bytes(12, ...encodeValue(value))),
  ];
}

function encodeNode({ op, from, to, attributes = {} }: Node): Uint8Array[] {
  return [
    ...from.map((name) => text(1, name)), ...to.map((name) => text(2, name)), text(4, op),
    ...Object.entries(attributes).map(([name, value]) => typeof value === "number"
      ? bytes(5, text(1, name), number(3, value), number(20, 2))
      : bytes(5, text(1, name), text(4, value), number(20, 3))),
  ];
}

function encodeValue({ name, type = float32, shape }: Value): Uint8Array[] {
  const dimensions = shape.map((n) => bytes(1, typeof n === "number" ? number(1, n) : text(2, n)));
  return [text(1, name), bytes(2, bytes(1, number(1, type), bytes(2, ...dimensions)))];
}

function encodeConstant({ name, shape, values, whole = false }: Constant): Uint8Array[] {
  const raw = whole ? BigInt64Array.from(Array.from(values, BigInt)) : Float32Array.from(values);
  return [
    ...shape.map((n) => number(1, n)), number(2, whole ? int64 : float32),
    text(8, name), bytes(9, new Uint8Array(raw.buffer)),
  ];
}
