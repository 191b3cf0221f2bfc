import { describe, expect, test } from "bun:test";
import { modbusRtu, modbusTcp } from "../../src/driver.ts";
import { parseAddress } from "../../src/driver/modbus/address.ts";
import { linkOf, rtuLink, tag, tcpLink } from "./support.ts";

const place = (at: string, type = "int16", station = 1): string => {
  const { area, from, count, bit, order } = parseAddress(at, type as "int16", station);
  return `${area} ${from}+${count}${bit < 0 ? "" : `.${bit}`}${order === "" ? "" : `#${order}`}`;
};

describe("addresses", () => {
  test.each([
    ["holding 9", "int16", "holding 9+1"], ["input 0", "float32", "input 0+2"],
    ["discrete 4", "bool", "discrete 4+1"], ["coil 3", "bool", "coil 3+1"],
    ["holding 9.15", "bool", "holding 9+1.15"],
    ["400010", "int16", "holding 9+1"], ["40010", "int16", "holding 9+1"],
    ["300001", "float64", "input 0+4"], ["100001", "bool", "discrete 0+1"],
    ["000001", "bool", "coil 0+1"], ["00001", "bool", "coil 0+1"],
    ["465536", "int16", "holding 65535+1"],
    ["1!400010#BB", "float32", "holding 9+2#BB"], ["1!400010", "int16", "holding 9+1"],
    ["1!400010.3", "bool", "holding 9+1.3"], ["1!300001.10H", "text(10)", "input 0+5"],
    ["1!300001.10L", "text(10)", "input 0+5#B"], ["1!400001#WS", "int64", "holding 0+4#WS"],
    ["1!400001.4", "bytes(4)", "holding 0+2"],
  ])("%s as %s is %s", (at, type, expected) => expect(place(at, type)).toBe(expected));

  test.each([
    ["holdng 9", "int16", "no Modbus address"], ["9", "int16", "no Modbus address"],
    ["holding 65535", "float32", "ends at 65536"], ["400000", "int16", "begin at 1"],
    ["465537", "int16", "ends at 65536"],
    ["2!400010", "int16", "names station 2, but the device is station 1"],
    ["coil 3", "int16", "must be bool"], ["holding 3", "bool", "needs its bit"],
    ["holding 3.16", "bool", "needs its bit"], ["holding 3.2", "int16", "picks a bit"],
    ["coil 3.1", "bool", "one bit already"], ["400010#BB", "int16", "#B, #L"],
    ["400010#WS", "float32", "does not fit"], ["400010#B", "bool", "needs its bit"],
    ["400010.4", "text(6)", "must agree"], ["400010.6D", "text(6)", "not supported"],
    ["400010#LL", "text(6)", "no meaning"], ["500010", "int16", "no Modbus address"],
  ])("%s as %s is refused: %s", (at, type, sentence) => {
    expect(() => place(at, type)).toThrow(sentence);
    expect(modbusTcp.checkTag(tag(at, type as "int16"), tcpLink)).toContain(sentence);
  });

  test("checkTag: one sentence, or null", () => {
    const no = (more: object, at = "holding 9", type = "float32", link = tcpLink): string =>
      modbusTcp.checkTag(tag(at, type as "int16", more), link) ?? "";
    expect(no({ writable: true })).toBe("");
    expect(no({ writable: true }, "coil 1", "bool")).toBe("");
    expect(no({ writable: true }, "holding 1.1", "bool")).toBe("");
    expect(no({ scale: 0 })).toContain("other than 0");
    expect(no({ scale: 2 }, "coil 1", "bool")).toContain("no meaning");
    expect(no({ writable: true }, "discrete 1", "bool")).toContain("only be read");
    expect(no({ writable: true }, "holding 1", "text(4)")).toBe("");
    expect(no({ writable: true }, "holding 1", "text(5)")).toContain("take an even length");
    expect(no({ writable: true }, "holding 1", "text(80)")).toContain("at most 64 bytes");
    expect(no({ writable: true }, "holding 1", "bytes(4)")).toContain("not in this version");
    const single = linkOf(modbusTcp, { host: "a", writeWith: 6 });
    expect(no({ writable: true }, "holding 1", "float32", single)).toContain("one FC16 or not");
    expect(no({ writable: true }, "holding 1", "int16", single)).toBe("");
    expect(no({ writable: true }, "input 1")).toContain("only be read");
    expect(no({ writable: true }, "holding 1", "int8")).toContain("half a register");
    expect(no({ writable: true, station: 0 })).toContain("broadcast");
    expect(no({}, "holding 1", "time")).toBe("");
    expect(no({ scale: 60 }, "holding 1", "time")).toContain("no meaning for time");
    expect(no({ writable: true }, "holding 1", "time")).toContain("not in this version");
    expect(no({}, "holding 1", "text(252)")).toContain("longer than one read");
    expect(modbusRtu.checkTag(tag("holding 1", "int16", { station: 255 }), rtuLink))
      .toContain("1 to 247");
  });

  test("extent: the bits that a tag fills, both ends included", () => {
    const extent = (at: string, type: string) =>
      modbusTcp.extents(tag(at, type as "bool"), tcpLink)[0]!;
    expect(extent("400010", "int64")).toEqual({ area: "holding", from: 144, to: 207 });
    expect(extent("holding 9.3", "bool")).toEqual({ area: "holding", from: 147, to: 147 });
    expect(extent("coil 9", "bool")).toEqual({ area: "coil", from: 9, to: 9 });
  });
});
