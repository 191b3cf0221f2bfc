import type { ScalarFunction } from "./record.ts";

/** A digest in hexadecimal digits, small letters, of the bytes of a text in UTF-8 or of bytes. */
const digest = (
  name: string, bits: number, hash: (data: string | Uint8Array) => string, example: string,
): ScalarFunction => ({
  name, parameters: "y", result: "text", slot: () => bits / 4, body: hash,
  doc: `${name.toUpperCase().replace("CRC32", "CRC-32")} in hexadecimal digits`,
  examples: [[`${name === "sha384" || name === "sha512" ? `substring(${name}('abc'), 0, 16)`
    : `${name}('abc')`}`, `'${example}'`]],
});

export const hash: readonly ScalarFunction[] = [
  digest("md5", 128, (data) => Bun.MD5.hash(data, "hex"), "900150983cd24fb0d6963f7d28e17f72"),
  digest("sha1", 160, (data) => Bun.SHA1.hash(data, "hex"),
    "a9993e364706816aba3e25717850c26c9cd0d89d"),
  digest("sha256", 256, (data) => Bun.SHA256.hash(data, "hex"),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
  digest("sha384", 384, (data) => Bun.SHA384.hash(data, "hex"), "cb00753f45a35e8b"),
  digest("sha512", 512, (data) => Bun.SHA512.hash(data, "hex"), "ddaf35a193617aba"),
  // Without leading zeros, as eKuiper writes it.
  digest("crc32", 32, (data) => Bun.hash.crc32(data).toString(16), "352441c2"),
];
