import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinaryStream, DataType, StatusCodes, Variant, VariantArrayType } from "node-opcua";
import { createRandom, Fault, type Random } from "../../src/base.ts";
import { parseAddress } from "../../src/driver/opcua/address.ts";
import { decodeCell, Field, rawOf, valueOf, type Value } from "../../src/driver/opcua/codec.ts";
import { quieten } from "../../src/driver/opcua/session.ts";
import {
  describe, ownIdentity, trust, trustFile, TrustList,
} from "../../src/driver/opcua/trust.ts";
import { readCell, type Ring, type TagType } from "../../src/ring.ts";
import { ringFor, tag } from "../driver/support.ts";

/**
 * What of an OPC UA server's bytes is ours to understand: values, addresses, certificates and the
 * files of the trust list. The wire itself is the library's.
 */
const count = Number(process.env["SOAK_COUNT"] ?? 5000);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1e9);

quieten(null);

const types: readonly TagType[] = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32",
  "int64", "uint64", "float32", "float64", "time", "text(16)", "bytes(16)", "json(256)"];
/** A cell of each type, for single values and for an item of an array. */
const places = types.flatMap((type) => ["ns=1;s=T", "ns=1;s=T range 1"].map((at) => {
  const { ring, tags } = ringFor([tag(at, type)]);
  return { type, ring, field: new Field(tags[0]!) };
}));

/** What the library makes of bytes; null = it refuses them. */
function decoded(bytes: Buffer): Value | null {
  const variant = new Variant();
  try {
    variant.decode(new BinaryStream(bytes));
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(Error);
    return null;
  }
  return variant as unknown as Value;
}

const odd: readonly unknown[] = [null, undefined, 0, -1, 1.5, 1e300, NaN, Infinity, true, "x",
  "é".repeat(40), [0, 7], [2 ** 32 - 1, 1], [], {}, new Date(5), new Date(NaN), new Uint8Array(3),
  new Uint8Array(99), new Float64Array([1, NaN]), [[1, 2], null], { text: null }, { text: "t" }];

/** A value as the library hands it on: of damaged bytes, or of a kind that its type is not. */
function anyValue(r: Random): Value | null {
  if (r.chance(0.3)) {
    return { dataType: r.below(26), arrayType: r.below(3), value: r.pick(odd) };
  }
  const bytes = r.chance(0.2)
    ? Buffer.from(Array.from({ length: 1 + r.below(40) }, () => r.below(256))) : encoded(r);
  if (r.chance(0.5)) bytes[r.below(bytes.length)] = r.pick([0, 1, 0x7f, 0x80, 0xff, r.below(256)]);
  return decoded(r.chance(0.1) ? bytes.subarray(0, r.below(bytes.length)) : bytes);
}

const numbers = [DataType.SByte, DataType.Byte, DataType.Int16, DataType.UInt16, DataType.Int32,
  DataType.UInt32, DataType.Float, DataType.Double];

function encoded(r: Random): Buffer {
  const dataType = r.pick([...numbers, DataType.Boolean, DataType.String, DataType.DateTime,
    DataType.Int64, DataType.ByteString]);
  const one = (): unknown => {
    switch (dataType) {
      case DataType.Boolean: return r.chance(0.5);
      case DataType.String: return r.pick(["", "Mühle", "x".repeat(r.below(30))]);
      case DataType.DateTime: return new Date(r.below(2e12));
      case DataType.Int64: return [r.below(2 ** 32), r.below(2 ** 32)];
      case DataType.ByteString: return Buffer.alloc(r.below(30), r.below(256));
      default: return r.below(128);
    }
  };
  const isArray = r.chance(0.3);
  const variant = new Variant({
    dataType, arrayType: isArray ? VariantArrayType.Array : VariantArrayType.Scalar,
    value: isArray ? Array.from({ length: r.below(4) }, one) : one(),
  });
  const stream = new BinaryStream(Buffer.alloc(600));
  variant.encode(stream);
  return stream.buffer.subarray(0, stream.length);
}

/** What must hold of a cell that is good, whatever came. */
function wrongOf(type: TagType, ring: Ring, { dataType, value }: Value): string | null {
  const cell = readCell(ring, ring.columns[0]!, 0);
  const whole = /^u?int(\d+)$/.exec(type);
  if (whole !== null) {
    const bits = Number(whole[1]);
    const [least, most] = type.startsWith("u") ? [0, 2 ** bits - 1]
      : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
    const number = Number(cell);
    if (number < least || number > most || !Number.isInteger(number)) return `${cell} in ${type}`;
  }
  if (typeof cell === "number" && !Number.isFinite(cell)) return `${cell} in ${type}`;
  if (type === "bool" && dataType !== DataType.Boolean) return `a bool of ${DataType[dataType]}`;
  if (type === "time" && !(value instanceof Date)) return `a time of ${value}`;
  if (type.startsWith("json")) JSON.parse(String(cell));
  return null;
}

test(`a cell is good only with a value of its type (${count} from seed ${seed})`, () => {
  let good = 0, refused = 0;
  for (let i = 0; i < count; i++) {
    const r = createRandom(seed + i);
    const value = anyValue(r);
    if (value === null) {
      refused += 1;
      continue;
    }
    const { type, ring, field } = r.pick(places);
    decodeCell(field, valueOf(field, value), ring, 0);
    if (/^(bool|u?int|float)/.test(type)) rawOf(field, value, new Uint8Array(8));
    if (ring.arena.U[ring.columns[0]!.state] !== 0) continue;
    good += 1;
    expect({ seed: seed + i, wrong: wrongOf(type, ring, valueOf(field, value)) })
      .toEqual({ seed: seed + i, wrong: null });
  }
  expect(good).toBeGreaterThan(count / 10);
  expect(refused).toBeGreaterThan(count / 100);
}, 7_200_000);

test("an address is understood, or refused in one sentence", () => {
  const known = ["ns=2;s=Tank.Level", "nsu=urn:plant:x;i=7", "i=2258", "ns=1;g=1", "ns=1;b=AA==",
    "ns=3;s=a range 0:9", "ns=1;s=a call ns=1;s=b ns=1;s=c"];
  let understood = 0;
  for (let i = 0; i < count; i++) {
    const r = createRandom(seed + i);
    let at = r.pick(known);
    for (let n = r.below(4); n > 0; n--) {
      const place = r.below(at.length + 1);
      at = at.slice(0, place) + r.pick([..." ;=:,isgbn0129é\n", "range", "call ", "nsu="]) +
        at.slice(place + r.below(3));
    }
    try {
      expect(parseAddress(at).node).not.toBe("");
      understood += 1;
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw new Error(`seed ${seed + i}: ${thrown}`);
      expect(thrown.message).not.toMatch(/undefined/);
    }
  }
  expect(understood).toBeGreaterThan(count / 10);
}, 7_200_000);

let directory = "";
let certificate: Buffer;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "opcua-fuzz-"));
  certificate = (await ownIdentity(directory)).getCertificate();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("no certificate is trusted but the very one that a person named", async () => {
  const list = new TrustList(directory, "ua");
  expect(await list.checkCertificate(certificate)).toBe(StatusCodes.BadCertificateUntrusted);
  await trust("ua", directory, list.refused!.fingerprint);
  expect(await list.checkCertificate([certificate])).toBe(StatusCodes.Good);
  expect(await list.checkCertificate([])).toBe(StatusCodes.BadCertificateInvalid);
  let readable = 0, none = 0;
  for (let i = 0; i < count; i++) {
    const r = createRandom(seed + i);
    const shown = damagedCertificate(r);
    if (shown.equals(certificate)) continue;
    // Each new one is a file: of most, only what a person would be told.
    if (r.chance(0.9)) {
      const text = describe(shown);
      if (text === null) none += 1;
      else {
        readable += 1;
        expect({ seed: seed + i, text }).toEqual({ seed: seed + i,
          text: expect.stringMatching(/^[ -~\xa0-\uffff]*SHA-1 [0-9a-f]{40}$/) });
      }
      continue;
    }
    const status = await list.checkCertificate(shown);
    expect<unknown[]>([StatusCodes.BadCertificateUntrusted, StatusCodes.BadCertificateInvalid])
      .toContain(status);
    expect(await list.verifyCertificate(shown)).not.toBe("Good");
  }
  expect(Math.min(readable, none)).toBeGreaterThan(count / 20);
  expect(readdirSync(join(directory, "refused")).length).toBeLessThanOrEqual(16);
}, 7_200_000);

function damagedCertificate(r: Random): Buffer {
  if (r.chance(0.1)) return Buffer.from(Array.from({ length: r.below(300) }, () => r.below(256)));
  const bytes = Buffer.from(certificate);
  for (let n = 1 + r.below(3); n > 0; n--) {
    // Names and dates stand in the first half, the key and the signature behind.
    bytes[r.below(r.chance(0.5) ? 300 : bytes.length)] = r.pick([0, 7, 27, 0x80, r.below(256)]);
  }
  return r.chance(0.1) ? bytes.subarray(0, r.below(bytes.length)) : bytes;
}

test("of a file that is no certificate nobody is trusted", async () => {
  for (let i = 0; i < Math.min(count, 500); i++) {
    const bytes = damagedCertificate(createRandom(seed + i));
    if (describe(bytes) !== null) continue;
    expect(trustFile("file", directory, bytes)).rejects.toThrow("The file is no certificate");
  }
  expect(readdirSync(join(directory, "trusted")).filter((name) => name.startsWith("file-")))
    .toEqual([]);
});

test("damaged files of the trust list trust nobody, and say which file it is", async () => {
  const list = new TrustList(directory, "line");
  for (let i = 0; i < Math.min(count, 500); i++) {
    const r = createRandom(seed + i);
    await list.checkCertificate(certificate);
    const { fingerprint } = list.refused!;
    const path = join(directory, "refused", `line-${fingerprint}.der`);
    writeFileSync(path, damagedCertificate(r).subarray(0, r.below(900)));
    expect(trust("line", directory, fingerprint)).rejects.toThrow(/line-[0-9a-f]{64}\.der is not/);
    expect(await list.verifyCertificate(certificate)).toBe("BadCertificateUntrusted");
  }
  writeFileSync(join(directory, "own.certificate.der"), "none");
  expect(ownIdentity(directory)).rejects.toThrow(/own.certificate.der there, and both are made/);
}, 7_200_000);
