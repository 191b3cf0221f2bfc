import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { createRandom } from "../../src/base.ts";
import { scalarFunctions } from "../../src/sql/functions.ts";
import { Bench } from "./bench.ts";

/** Bodies that emitter and slow reference share, against what others make of the same. */
const call = (name: string, ...args: unknown[]): unknown =>
  (scalarFunctions.get(name)!.body as (...args: unknown[]) => unknown)(...args);

const random = createRandom(7);
const zones = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia",
  "-03:30"];

/** The clocks of a zone by Intl, in order: year, month, day, hour, minute, second, weekday. */
function clocks(time: number, timeZone: string): (number | string)[] {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric",
    hour: "numeric", minute: "numeric", second: "numeric", weekday: "long",
  }).formatToParts(time);
  const of = (type: string): string => parts.find((part) => part.type === type)!.value;
  return [...["year", "month", "day", "hour", "minute", "second"].map((type) => Number(of(type))),
    of("weekday")];
}

describe("times", () => {
  test("parts of random times in zones, as Intl has them", () => {
    const names = ["year", "month", "day_of_month", "hour", "minute", "second", "day_name"];
    for (let i = 0; i < 2000; i++) {
      const time = Math.floor((random.next() * 3 - 0.5) * 1e12), zone = random.pick(zones);
      expect([time, zone, ...names.map((name) => call(name, time, zone))])
        .toEqual([time, zone, ...clocks(time, zone)]);
    }
  });

  test("days of the year and ends of months, counted one by one", () => {
    let dayOfYear = 0;
    for (let day = 0; day < 366 * 40; day++) {
      const at = new Date(day * 86_400_000), next = new Date(at.getTime() + 86_400_000);
      dayOfYear = at.getUTCMonth() === 0 && at.getUTCDate() === 1 ? 1 : dayOfYear + 1;
      expect(call("day_of_year", at.getTime())).toBe(dayOfYear);
      if (next.getUTCDate() === 1) {
        expect(call("last_day", at.getTime() - 86_400_000 * 3)).toBe(at.toISOString().slice(0, 10));
      }
      expect(call("from_days", day + 1)).toBe(at.toISOString().slice(0, 10));
    }
  });

  const moment = Date.parse("2026-07-04T23:05:09.250Z");

  test.each([
    ["yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "Europe/Berlin", "2026-07-05T01:05:09.250+02:00"],
    ["YYYY-MM-dd HH:mm:ssSSS Z", "America/St_Johns", "2026-07-04 20:35:09.250 -0230"],
    ["YY M d h:m:s a", "UTC", "26 7 4 11:5:9 PM"],
    ["EEEE, d MMMM, G; EEE d MMM", "UTC", "Saturday, 4 July, AD; Sat 4 Jul"],
    ["\\y 'yy' '' 'o''clock'", "UTC", "y yy ' o'clock"],
    ["X XX", "Asia/Kathmandu", "+05 +0545"], ["SSSSSS", "UTC", ".250000"],
    ["YYY", "UTC", null], ["EE", "UTC", null], ["HHH", "UTC", null], ["'open", "UTC", null],
    ["\\", "UTC", null], ["HH", "Mars/Base", null],
  ])("pattern %s in %s", (pattern, zone, expected) => {
    expect(call("format_time", moment, pattern, zone) ?? null).toBe(expected);
  });

  test("what is no time, no zone and no duration is an error or not a number", () => {
    for (const time of [NaN, Infinity, 1e17]) {
      expect(call("hour", time)).toBeNaN();
      expect(call("format_time", time, "HH")).toBeUndefined();
      expect(call("hour", time, "Europe/Berlin")).toBeNaN();
    }
    expect(call("hour", 0, "Mars/Base")).toBeUndefined();
    for (const wrong of ["", "1", "1x", "h", "-", "1h 2m"]) {
      expect(call("date_calc", 0, wrong)).toBeUndefined();
    }
    expect(call("date_calc", 0, "1h1.5m10s100ms200us300ns")).toBe("1970-01-01 01:01:40");
  });
});

describe("regular expressions", () => {
  test("what both engines know, both find alike", () => {
    const patterns = ["a", "a+b", "(a|ab)(c|bcd)", "^b", "c$", "[^a]+", "a*?b", "(b)|(c)", "\\d+",
      ".", "(?:ab)*", "a{2,3}"];
    for (let i = 0; i < 3000; i++) {
      const text = Array.from({ length: random.below(8) }, () => random.pick([..."abcd1Ö"]))
        .join("");
      const pattern = random.pick(patterns);
      const found = new RegExp(pattern, "u").exec(text);
      expect([pattern, text, call("regexp_matches", text, pattern)])
        .toEqual([pattern, text, found !== null]);
      expect([pattern, text, call("regexp_substr", text, pattern)])
        .toEqual([pattern, text, found?.[0] ?? ""]);
      if (pattern === "(?:ab)*") continue;
      const replaced = text.replace(new RegExp(pattern, "gu"), "<$&>");
      expect([pattern, text, call("regexp_replace", text, pattern, "<$0>")])
        .toEqual([pattern, text, replaced]);
    }
  });

  test("groups, dollars, and nothing directly after a match, as Go has them", () => {
    const replace = (...args: string[]): unknown => call("regexp_replace", ...args);
    expect(replace("baaac", "a*", "x")).toBe("xbxcx");
    expect(replace("k=v", "(?P<key>\\w)=(\\w)", "${2}_${key}")).toBe("v_k");
    expect(replace("ab", "(a)", "$1x|$2|$$|$")).toBe("||$|$b");
    expect(replace("ab", "(a)|(b)", "[$2]")).toBe("[][b]");
  });

  test("no pattern is slow, nor given up on as JavaScript does", () => {
    const text = `${"a".repeat(50_000)}!`;
    expect(call("regexp_matches", text, "(a+)+$")).toBe(false);
    expect(call("regexp_matches", text, "(a|a)*$")).toBe(true);
  });

  test("what RE2 does not know is an error", () => {
    for (const pattern of ["(?=a)", "(a)\\1", "[", "a**"]) {
      expect(call("regexp_matches", "a", pattern)).toBeUndefined();
      expect(call("regexp_substr", "a", pattern)).toBeUndefined();
      expect(call("regexp_replace", "a", pattern, "b")).toBeUndefined();
    }
  });
});

test("digests and base64 of random texts and bytes, as node has them", () => {
  for (let i = 0; i < 300; i++) {
    const bytes = Uint8Array.from({ length: random.below(200) }, () => random.below(256));
    const text = Array.from({ length: random.below(50) }, () => random.pick([..."aÖ😀 1"]))
      .join("");
    for (const data of [bytes, text]) {
      for (const name of ["md5", "sha1", "sha256", "sha384", "sha512"]) {
        expect(call(name, data)).toBe(createHash(name).update(data).digest("hex"));
      }
      expect(call("crc32", data)).toBe(crc32(data).toString(16));
      const encoded = call("encode", data, "base64") as string;
      expect(call("decode", encoded, "base64"))
        .toEqual(new Uint8Array(Buffer.from(data as string)));
    }
  }
  for (const wrong of ["a", "====", "ab c", "YQ="]) {
    expect(call("decode", wrong, "base64")).toBeUndefined();
  }
  expect(call("encode", "a", "rot13")).toBeUndefined();
});

test("what is compressed comes back; what is damaged or a bomb does not", () => {
  const zeros = new Uint8Array(1_000_000);
  for (const method of ["zlib", "gzip", "flate", "zstd"]) {
    for (let i = 0; i < 50; i++) {
      const bytes = Uint8Array.from({ length: random.below(500) }, () => random.below(256));
      const packed = call("compress", bytes, method) as Uint8Array;
      expect(new Uint8Array(call("decompress", packed, method) as Uint8Array)).toEqual(bytes);
      const slot = scalarFunctions.get("compress")!
        .slot!([{ kind: "bytes", slot: bytes.length, constant: undefined }]);
      expect(packed.length).toBeLessThanOrEqual(slot);
    }
    expect(call("decompress", call("compress", zeros, method), method)).toBeUndefined();
    expect(call("decompress", new Uint8Array([1, 2, 3, 4, 5]), method)).toBeUndefined();
  }
  expect(call("compress", "a", "rar")).toBeUndefined();
});

test("numbers for people", () => {
  expect(call("format", -1234567.891, 2, "de_DE")).toBe("-1.234.567,89");
  expect(call("format", 0.5, 0)).toBe("1");
  for (const wrong of ["de-DE", "xx_XX", "de", "", "deDE"]) {
    expect(call("format", 1, 0, wrong)).toBeUndefined();
  }
  expect(call("format", 1, 31)).toBeUndefined();
  expect(call("format", NaN, 1)).toBeUndefined();
});

test.each([
  [0, "degC", "K", 273.15], [212, "degF", "degC", 100], [-40, "°C", "°F", -40],
  [300, "K", "K", 300], [1, "bar", "psi", 14.503773773], [1, "in", "mm", 25.4],
  [1, "mmHg", "Pa", 133.322387415],
  [36, "km/h", "m/s", 10], [1, "gal/min", "l/min", 3.785411784], [60, "rpm", "rad/s", 2 * Math.PI],
  [1, "MWh", "GJ", 3.6], [1, "PS", "kW", 0.73549875], [1, "lb", "kg", 0.45359237],
  [90, "min", "h", 1.5], [1, "m3/h", "l/s", 1 / 3.6], [180, "deg", "rad", Math.PI],
  [1, "bar", "kWh", undefined], [1, "bar", "toString", undefined], [1, "furlong", "m", undefined],
])("%d %s in %s", (x, from, to, expected) => {
  const actual = call("convert_unit", x, from, to);
  if (expected === undefined) expect(actual).toBeUndefined();
  else expect(actual as number).toBeCloseTo(expected, 9);
});

describe("arrays", () => {
  const items = [0, -0, 1, 2.5, NaN, 1n, 2n, 2 ** 53, 2n ** 53n, 2n ** 53n + 1n, 1e300, "1", "",
    "a", "@5", true, false, null, new Date(5), new Date(5), new Date(NaN),
    new Uint8Array([1]), [1]];
  const numeric = (value: unknown): boolean => ["number", "bigint"].includes(typeof value);
  const same = (a: any, b: any): boolean => a instanceof Date
    ? b instanceof Date && a.getTime() === b.getTime()
    : numeric(a) && numeric(b) ? a == b : a === b && (typeof a !== "object" || a === null);
  const once = (list: unknown[]): unknown[] => list.reduce<unknown[]>((found, item) =>
    (found.some((one) => same(one, item)) ? found : [...found, item]), []);

  test("what is distinct, shared and left, pair by pair", () => {
    for (let i = 0; i < 2000; i++) {
      const some = (): unknown[] =>
        Array.from({ length: random.below(8) }, () => random.pick(items));
      const a = some(), b = some();
      const inB = (item: unknown): boolean => b.some((one) => same(one, item));
      expect([a, b, call("array_distinct", a), call("array_union", a, b),
        call("array_intersect", a, b), call("array_except", a, b),
        call("array_contains_any", a, b)])
        .toEqual([a, b, once(a), once([...a, ...b]), once(a).filter(inB),
          once(a).filter((item) => !inB(item)), a.some(inB)]);
    }
  });

  test("what is made inside an expression has no more room than a cell", () => {
    const made = (expr: string): string => new Bench(expr).row({ a: 1, b: true, t: "k" });
    expect(made("cardinality(array_flatten(repeat(repeat(1, 60000), 60000)))"))
      .toBe("error:length 0");
    expect(made("length(to_json(repeat(repeat('abcdefgh', 2000), 2000)))")).toBe("error:length 0");
    expect(made("cardinality(repeat('abcdefgh', 2000))")).toBe("2000 good 0");
    const long = "x".repeat(60_000);
    expect(made(`length(array_join(sequence(1, 20000), '${long}'))`)).toBe("error:length 0");
    expect(made(`length(regexp_replace('${long}', 'x', '${long}'))`)).toBe("error:length 0");
  });
});
