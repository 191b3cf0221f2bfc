import { nextPowerOfTwo } from "../../base.ts";
import { type Code, keyNumber, type Value } from "../emit/code.ts";

/**
 * The keys of a PARTITION BY, shared by the call sites that have the same one:
 *
 *     used      F × 1             keys in the table
 *     table     I × 2^k           open addressing (linear probing): number + 1, 0 = free; at least
 *                                 twice the capacity
 *     bits      F × 1             a key's bits on their way into the hash
 *     N         F × keys, or U × keys × slot and N.length I × keys
 *     N.null    U × keys          1: the key reads as NULL
 *
 * A key past the capacity has no state: what is asked of it is NULL, counted in `dropped`.
 */
export class KeyTable {
  readonly #code: Code;
  readonly #name: string;
  readonly #capacity: number;
  readonly #same: string[] = [];
  readonly #make: string[] = [];

  constructor(code: Code, name: string, capacity: number) {
    this.#code = code;
    this.#name = name;
    this.#capacity = capacity;
  }

  /** The lines that find a row's key or make it; returns the name of its number. */
  find(keys: readonly Value[]): string {
    const code = this.#code;
    const slots = nextPowerOfTwo(2 * this.#capacity);
    const table = this.#field("table", "I", slots);
    const used = this.#field("used", "F", 1);
    const mask = code.param({ of: "number", value: slots - 1 }, "slots_mask");
    const most = code.param({ of: "number", value: this.#capacity }, "keys_max");
    const dropped = code.param({ of: "state", field: "dropped" }, "dropped");
    const [k, hash, slot, e] = [code.name("k"), code.name("hash"), code.name("slot"),
      code.name("e")];
    code.line(`let ${hash} = -2128831035, ${k} = -1;`);
    keys.forEach((key, i) => this.#key(key, i, hash, k));
    code.line(`let ${slot} = (${hash} ^ ${hash} >>> 15) & ${mask};
for (let ${e} = I[${table} + ${slot} | 0]; ${e} !== 0; ${e} = I[${table} + ${slot} | 0]) {
  ${k} = ${e} - 1;
  if (${this.#same.join(" && ")}) break;
  ${k} = -1;
  ${slot} = ${slot} + 1 & ${mask};
}
if (${k} < 0) {
  if (F[${used}] === ${most}) F[${dropped}] += 1;
  else {
    ${k} = F[${used}] | 0;
    F[${used}] = ${k} + 1;
    I[${table} + ${slot} | 0] = ${k} + 1;
    ${this.#make.join("\n    ")}
  }
}`);
    return k;
  }

  #field(name: string, view: "F" | "I" | "U", count: number): string {
    const field = `${this.#name}.${name}`;
    this.#code.layout.add(field, view, count);
    return this.#code.param({ of: "state", field }, field.replaceAll(".", "_"));
  }

  #key(v: Value, i: number, hash: string, k: string): void {
    const code = this.#code;
    const nulls = this.#field(`${i}.null`, "U", this.#capacity);
    const none = code.define("none", `${v.state} > 63 ? 1 : 0`);
    this.#same.push(`U[${nulls} + ${k} | 0] === ${none}`);
    this.#make.push(`U[${nulls} + ${k} | 0] = ${none};`);
    if (v.length !== undefined) this.#text(v, i, hash, k, none);
    else this.#words(v, i, hash, k, none);
  }

  #text(v: Value, i: number, hash: string, k: string, none: string): void {
    const code = this.#code;
    const at = this.#field(String(i), "U", this.#capacity * v.slot!);
    const lengths = this.#field(`${i}.length`, "I", this.#capacity);
    const slot = code.param({ of: "number", value: v.slot! }, "slot_bytes");
    const n = code.define("n", `${none} === 1 ? 0 : ${v.length}`);
    const place = `${at} + Math.imul(${k}, ${slot}) | 0`;
    code.line(`${hash} = fn.hashBytes(U, ${v.value}, ${n}, ${hash});`);
    this.#same.push(`fn.sameBytes(U, ${place}, I[${lengths} + ${k} | 0], ${v.value}, ${n})`);
    this.#make.push(`fn.copyBytes(U, ${place}, ${v.value}, ${n});`,
      `I[${lengths} + ${k} | 0] = ${n};`);
  }

  /** Equal bits are one key, also for NaN; −0 is 0. */
  #words(v: Value, i: number, hash: string, k: string, none: string): void {
    const code = this.#code;
    const at = this.#field(String(i), "F", this.#capacity);
    const [low, high] = this.#bits(v, i, none);
    code.line(`${hash} = Math.imul(Math.imul(${hash} ^ ${low}, 0x01000193) ^ ${high}, ` +
      "0x01000193);");
    this.#same.push(`I[(${at} + ${k} << 1) | 0] === ${low}`,
      `I[(${at} + ${k} << 1) + 1 | 0] === ${high}`);
    this.#make.push(`I[(${at} + ${k} << 1) | 0] = ${low};`,
      `I[(${at} + ${k} << 1) + 1 | 0] = ${high};`);
  }

  #bits(v: Value, i: number, none: string): [string, string] {
    const code = this.#code;
    if (v.kind === "int64") {
      return [code.define("low", `${none} === 1 ? 0 : ${v.value}`),
        code.define("high", `${none} === 1 ? 0 : ${v.high}`)];
    }
    const bits = this.#field(`${i}.bits`, "F", 1);
    code.line(`F[${bits}] = ${none} === 1 ? 0 : ${keyNumber(v)};`);
    return [code.define("low", `I[${bits} << 1]`),
      code.define("high", `I[(${bits} << 1) + 1 | 0]`)];
  }
}
