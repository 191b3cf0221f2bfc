import { describe, expect, test } from "bun:test";
import {
  ethernetIp, modbusTcp, opcua, s7, telegramTcp, type AnyDriver, type Driver,
} from "../../src/driver.ts";
import { valueOfRaw } from "../../src/driver/opcua/codec.ts";
import { linkOf, tag } from "./support.ts";

/** W9: of a text that is written, what was tested is what it means, to the last character. */
const mark = "\ufeff";
const telegrams = { w: { send: "W?", write: "W {value}", match: "^(.*)$" } };
const links: readonly (readonly [AnyDriver, settings: object, at: string])[] = [
  [modbusTcp, { host: "a" }, "holding 0"],
  [s7, { host: "a" }, "DB1.DBB0"],
  [ethernetIp, { host: "a" }, "Recipe.Name"],
  [telegramTcp, { host: "a", port: 1, frame: { end: "<CR>" }, telegrams }, "w match 1"],
  [opcua, { host: "a", security: "None" }, "ns=1;s=Name"],
];

describe.each(links)("$type", (driver, settings, at) => {
  const link = linkOf(driver as Driver, { ...settings });
  const one = tag(at, "text(12)", { writable: true });

  test("a text in a machine that begins with a byte order mark is not the one without", () => {
    const raw = driver.encode(one, "###name", link).bytes;
    raw.set(new TextEncoder().encode(mark), raw.indexOf(0x23));
    expect(driver.decode(one, raw)).toBe(`${mark}name`);
  });

  test("one that is to be written keeps the mark, or is refused", () => {
    if (driver !== opcua) {
      expect(() => driver.encode(one, `${mark}stop`, link)).toThrow(/U\+feff|blanks around/);
      return;
    }
    const { bytes, means } = driver.encode(one, `${mark}stop`, link);
    expect([means, driver.decode(one, bytes), valueOfRaw(one, bytes).value])
      .toEqual(Array(3).fill(`${mark}stop`));
  });
});
