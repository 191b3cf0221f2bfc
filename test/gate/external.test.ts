import { describe, expect, test } from "bun:test";
import {
  legibleId, parseCommand, type Arrival, type Command, type Refusal,
} from "../../src/gate.ts";
import { now } from "./fixture.ts";

const time = Date.parse("2026-03-01T12:00:00Z");
const arrival = (over: Partial<Arrival> = {}): Arrival => ({
  origin: "rest", by: "panel", from: "10.0.0.9", authenticated: true, authorised: true,
  retained: false, duplicate: false, claim: () => "new", now, time, ...over,
});
const body = { id: "a-1", tag: "press.setpoint", value: 62, within: "2s" };

function parse(over: object, from: Partial<Arrival> = {}): Command {
  const parsed = parseCommand({ ...body, ...over }, arrival(from));
  if ("code" in parsed) throw new Error(parsed.sentence);
  return parsed;
}
const problem = (what: unknown, from: Partial<Arrival> = {}): string => {
  const parsed = parseCommand(what, arrival(from));
  expect((parsed as Refusal).code).toBe("malformed");
  return (parsed as Refusal).sentence;
};

describe("W17 commands from outside", () => {
  test("a duration counts from arrival, a time of day by engine time", () => {
    expect(parse({})).toEqual({
      id: "a-1", origin: "rest", by: "panel", from: "10.0.0.9", tag: "press.setpoint", value: 62,
      unit: null, authenticated: true, authorised: true, inputs: null, row: null,
      notAfter: now + 2000, byWallClock: false, receivedAt: now, retained: false, seen: false });
    const at = (deadline: unknown) => parse({ within: undefined, deadline });
    expect(at("2026-03-01T12:00:05Z")).toMatchObject({ notAfter: now + 5000, byWallClock: true });
    expect(at("2026-03-01T13:00:05+01:00").notAfter).toBe(now + 5000);
    expect(at(time - 1).notAfter).toBe(now - 1);
  });
  test("what is missing is left to the gate to refuse", () => {
    expect(parse({ within: undefined }).notAfter).toBe(Infinity);
    expect(parse({ id: undefined }).id).toBe("");
    expect(parse({ value: "62" }).value).toBe("62");
    expect(parse({ value: null }).value).toBeNull();
  });
  test("on MQTT a duration is refused: a broker may have held the message", () => {
    expect(problem(body, { origin: "mqtt" })).toContain("within means nothing on MQTT");
  });
  test("ids are claimed once; strangers and retained messages claim none", () => {
    const ids = new Set<string>();
    const claim = (id: string): "new" | "known" => {
      if (ids.has(id)) return "known";
      ids.add(id);
      return "new";
    };
    expect(parse({}, { claim, authenticated: false }).seen).toBe(false);
    expect(parse({}, { claim, retained: true })).toMatchObject({ seen: false, retained: true });
    expect(parse({}, { claim }).seen).toBe(false);
    expect(parse({}, { claim }).seen).toBe(true);
    expect(parse({ id: "a-2" }, { claim, duplicate: true }).seen).toBe(true);
  });
  test("an id that could not be looked up is not a repetition: the gate is told so", () => {
    const claim = () => "unknown" as const;
    expect(parse({}, { claim })).toMatchObject({ seen: false, idUnknown: true });
    expect(parse({}, { claim, duplicate: true }).seen).toBe(true);
  });
  test("what is no command has its id back, if one can be read", () => {
    expect(legibleId({ id: "a-1", vlaue: 7 })).toBe("a-1");
    for (const id of [undefined, 7, "", "x".repeat(129)]) expect(legibleId({ id })).toBeNull();
    for (const what of [null, undefined, "a-1", ["a-1"]]) expect(legibleId(what)).toBeNull();
  });
  test("what cannot be read says what is wrong", () => {
    for (const what of [null, undefined, 7, "x", [], true]) {
      expect(problem(what)).toContain("object");
    }
    expect(problem({ ...body, vlaue: 1 })).toContain("unknown key vlaue, is it value?");
    expect(problem({ ...body, tag: undefined })).toContain("tag is missing");
    expect(problem({ ...body, tag: 7 })).toContain("tag is not a text");
    expect(problem({ id: "a", tag: "t", within: "1s" })).toContain("value is missing");
    expect(problem({ ...body, id: 7 })).toContain("id is not a text");
    expect(problem({ ...body, id: "x".repeat(129) })).toContain("longer than 128");
    expect(problem({ ...body, within: 5 })).toContain("duration");
    expect(problem({ ...body, within: "-5s" })).toContain("duration");
    expect(problem({ ...body, deadline: time })).toContain("exclude");
    const wrong = ["2026-03-01T12:00:00", "soon", true, Infinity, "2026-13-41T12:00:00Z"];
    for (const deadline of wrong) {
      expect(problem({ ...body, within: undefined, deadline })).toContain("deadline");
    }
  });
});
