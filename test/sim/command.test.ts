import { expect, test } from "bun:test";
import { Fault } from "../../src/base.ts";
import { parseCommand } from "../../src/sim/command.ts";

const order = {
  link: "bus-1", station: null, value: 0, count: Infinity, lasts: Infinity, chance: 1, only: "any",
};

test.each([
  ["fault bus-1 silence", { ...order, kind: "silence" }],
  ["fault bus-1/2 wrong-crc count 3", { ...order, kind: "wrong-crc", station: 2, count: 3 }],
  ["fault bus-1 delay 250ms chance 0.1 for 1m",
    { ...order, kind: "delay", value: 250, chance: 0.1, lasts: 60_000 }],
  ["fault bus-1 exception 6 only writes",
    { ...order, kind: "exception", value: 6, only: "writes" }],
  ["fault bus-1 exception count 1", { ...order, kind: "exception", value: 4, count: 1 }],
  ["fault bus-1 disconnect", { ...order, kind: "disconnect", count: 1 }],
  ["fault bus-1 disconnect for 2s", { ...order, kind: "disconnect", lasts: 2000 }],
])("%s", (line, expected) => {
  expect(parseCommand(line)).toEqual({ verb: "fault", order: expected } as never);
});

test("the other verbs", () => {
  expect(parseCommand(" clear ")).toEqual({ verb: "clear", link: null });
  expect(parseCommand("set press.door_closed false for 3s"))
    .toEqual({ verb: "set", tag: "press.door_closed", value: "false", lasts: 3000 });
  expect(parseCommand("set press.heater -1.5"))
    .toEqual({ verb: "set", tag: "press.heater", value: "-1.5", lasts: Infinity });
  expect(parseCommand('set press.recipe "Mill 1" for 2s'))
    .toEqual({ verb: "set", tag: "press.recipe", value: "Mill 1", lasts: 2000 });
  expect(parseCommand("get a.b")).toEqual({ verb: "get", tag: "a.b" });
});

test.each([
  ["falt plc-1 silence", "fault was meant"],
  ["fault plc-1 silent", "silence was meant"],
  ["fault plc-1", "fault LINK"],
  ["fault plc-1 delay 5", "with a unit"],
  ["fault plc-1 exception 300", "1 to 255"],
  ["fault plc-1 silence count", "needs a value"],
  ["fault plc-1 silence count 0", "from 1"],
  ["fault plc-1 silence chance 2", "at most 1"],
  ["fault plc-1 silence only both", "reads or writes"],
  ["fault plc-1 silence during 3s", "unknown option during"],
  ["fault plc-1/x silence", "station x"],
  ["set a.b", "set DEVICE.TAG VALUE"],
  ["get", "get DEVICE.TAG"],
])("%s is refused", (line, sentence) => {
  const parse = (): unknown => parseCommand(line);
  expect(parse).toThrow(Fault);
  expect(parse).toThrow(sentence);
});
