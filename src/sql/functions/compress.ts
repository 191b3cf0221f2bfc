import type { ArgumentType, ScalarFunction } from "./record.ts";

type Data = string | Uint8Array;

/** Loaded by the first call: who compresses nothing pays nothing for it, in no thread. */
const zlib = (): typeof import("node:zlib") => process.getBuiltinModule("node:zlib");

/** No more than this comes of a few bytes, whatever they say. */
const unpacked_max = 65_536;
const limit = { maxOutputLength: unpacked_max };

interface Method {
  readonly pack: (data: Data) => Uint8Array;
  readonly unpack: (data: Uint8Array) => Uint8Array;
}

const methods: ReadonlyMap<string, Method> = new Map([
  ["zlib", { pack: (data) => zlib().deflateSync(data),
    unpack: (data) => zlib().inflateSync(data, limit) }],
  ["gzip", { pack: (data) => zlib().gzipSync(data),
    unpack: (data) => zlib().gunzipSync(data, limit) }],
  ["flate", { pack: (data) => zlib().deflateRawSync(data),
    unpack: (data) => zlib().inflateRawSync(data, limit) }],
  ["zstd", { pack: (data) => zlib().zstdCompressSync(data),
    unpack: (data) => zlib().zstdDecompressSync(data, limit) }],
]);

const methodFault = (name: string | number): string | null => methods.has(String(name)) ? null
  : `The methods are ${[...methods.keys()].join(", ")}`;

/** What cannot be compressed grows by a header and some bytes a block. */
const packedSlot = ([data]: readonly ArgumentType[]): number => data!.slot + 64 + data!.slot / 64;

/** How much longer than it is text may be that was compressed. */
const ratio_max = 8;
const unpackedSlot = ([data]: readonly ArgumentType[]): number =>
  Math.min(unpacked_max, ratio_max * data!.slot);

function unpacked(data: Data, name: string): Uint8Array | undefined {
  const method = methods.get(name);
  try {
    return method?.unpack(Buffer.from(data as string));
  } catch (thrown) {
    // The data are damaged, or come to too much.
    if (thrown instanceof Error && "code" in thrown) return undefined;
    throw thrown;
  }
}

export const compression: readonly ScalarFunction[] = [
  {
    name: "compress", parameters: "ys", result: "bytes", refuses: true, slot: packedSlot,
    takes: "x, 'method'",
    doc: "A text or bytes compressed: by zlib, gzip, flate or zstd", constants: { 1: methodFault },
    examples: [["encode(decompress(compress('Öl', 'zstd'), 'zstd'), 'base64')", "'w5Zs'"]],
    body: (data: Data, name: string) => methods.get(name)?.pack(data),
  },
  {
    name: "decompress", parameters: "ys", result: "bytes", refuses: true, slot: unpackedSlot,
    takes: "bytes, 'method'",
    doc: "The bytes that were compressed, at most 8 times as many as there may be of the argument",
    constants: { 1: methodFault },
    examples: [["encode(decompress(decode('y0jNyckHAA==', 'base64'), 'flate'), 'base64')",
      "'aGVsbG8='"]],
    body: unpacked,
  },
];
