import { describe, expect, test } from "bun:test";
import { DONE, ethernetIp, type DriverTag } from "../../src/driver.ts";
import { BAD, ERROR, GOOD } from "../../src/ring.ts";
import { Bench, kits, linkFor, newest, states } from "../contract/drivers.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "./support.ts";

const kit = kits.find(({ driver }) => driver === ethernetIp)!;
const link = linkFor(kit);
const benchOf = (tags: readonly DriverTag[], settings = {}): Bench =>
  new Bench({ ...kit, settings: { ...kit.settings, ...settings } }, tags);

describe("addresses", () => {
  test.each([
    ["Motor.Speed", "float32", "motor.speed", 0], ["Recipe[3]", "int32", "recipe", 3],
    ["Line[2].Pos[70000].X", "float32", "line[2].pos[70000].x", 0],
    ["Program:Main.Step", "int16", "program:main.step", 0],
    ["Local:1:I.Data", "int32", "local:1:i.data", 0], ["Grid[1,2]", "int32", "grid[1,2]", 0],
    ["Flags[37]", "bool", "flags", 1], ["Status.5", "bool", "status", 0],
    ["Words[3].5", "bool", "words", 3], ["Line[02].Pos[007,1].X", "int8", "line[2].pos[7,1].x", 0],
  ] as const)("%s as %s", (at, type, area, from) => {
    const one = tag(at, type);
    expect(ethernetIp.checkTag(one, link)).toBeNull();
    expect(ethernetIp.extents(one, link).filter(({ isPart }) => !isPart))
      .toEqual([{ area, from, to: from }]);
  });

  test("what is not written is refused before", () => {
    const refused = (at: string, type: string) =>
      ethernetIp.checkTag(tag(at, type as "int16", { writable: true }), link) ?? "";
    expect(refused("Status.5", "bool")).toContain("a bit of a word");
    expect(refused("Flags[3]", "bool")).toContain("a BOOL tag of its own");
    expect(refused("Name", "text(65)")).toContain("at most 64 bytes");
    expect(refused("Name", "text(20)")).toBe("");
    expect(refused("Run", "bool")).toBe("");
  });
});

describe("reading", () => {
  test("elements of an array are one read, and reads one message", () => {
    const elements = Array.from({ length: 50 }, (_, i) => tag(`Arr[${i * 2}]`, "int32"));
    expect(ethernetIp.plan(elements, benchOf([]).link).map(({ text }) => text))
      .toEqual(["arr[0..98]"]);
    const names = Array.from({ length: 40 }, (_, i) => tag(`Tag${i}`, "float32"));
    const plan = ethernetIp.plan(names, benchOf([]).link);
    expect(plan.length).toBe(2);
  });

  test("bits come out of whole numbers and of arrays of bools", () => {
    const { ring, tags } = ringFor(["Flags[0]", "Flags[37]", "Flags[63]", "Status.5", "Status.9"]
      .map((at) => tag(at, "bool", { id: `d.${at}` })));
    const bench = benchOf(tags);
    for (const at of ["Flags[37]", "Status.9"]) bench.values.set(`d.${at}`, 1);
    for (let i = 0; i < 3; i++) bench.poll(ring, tags, 0);
    expect(newest(ring, tags)).toEqual([false, true, false, false, true]);
    expect(states(ring, tags)).toEqual([GOOD, GOOD, GOOD, GOOD, GOOD]);
  });

  test("elements past the end are bad alone within three polls", () => {
    const { ring, tags } = ringFor(Array.from({ length: 30 }, (_, i) =>
      tag(`Arr[${i}]`, "int16", { id: `d.t${i}` })));
    const bench = benchOf(tags.slice(0, 20));
    const plan = ethernetIp.plan(tags, bench.link);
    const poll = (): number[] => {
      ring.claim(1);
      for (const request of plan) {
        bench.session.read(request, ring, ring.head, 0);
        expect(bench.run(0)).toBe(DONE);
      }
      ring.publish(1);
      return states(ring, tags);
    };
    expect(new Set(poll())).toEqual(new Set([BAD.address]));
    const alone = tags.map((_, i) => (i < 20 ? GOOD : BAD.address));
    for (let i = 0; i < 50; i++) expect(poll()).toEqual(alone);
    const past = tags.filter((_, i) => i >= 20);
    expect([...bench.session.refusals!.keys()]).toEqual(past);
    for (const one of past) {
      expect(bench.session.refusals!.get(one)).toStartWith(`${one.at}: `);
      expect(bench.session.refusals!.get(one)).toMatch(/past the end of the array.*0x2105/);
    }
  });

  test("an answer with too few bytes for one of its reads is garbled, and none is taken", () => {
    const { ring, tags } = ringFor([tag("A", "float32", { id: "d.a" }),
      tag("B", "int32", { id: "d.b" })]);
    const bench = benchOf(tags);
    expect(bench.poll(ring, tags, 0)).toEqual([DONE]);
    bench.onAnswer = (frame) => {
      const cut = frame.slice(0, -2);
      // The lengths of the frame and of the message in it agree.
      cut[2]! -= 2;
      cut[38]! -= 2;
      return cut;
    };
    bench.values.set("d.a", 7);
    expect(bench.poll(ring, tags, 1)).toEqual([BAD.garbled]);
    expect(newest(ring, [tags[0]!])).not.toEqual([7]);
  });

  test("a tag of another type is never taken for what it is not", () => {
    const served = [tag("A", "float32", { id: "d.a" }), tag("B", "int32", { id: "d.b" })];
    const { ring, tags } = ringFor([tag("A", "int32", { id: "d.a" }),
      tag("B", "uint32", { id: "d.b" })]);
    const bench = benchOf(served);
    bench.values.set("d.b", -1);
    bench.poll(ring, tags, 0);
    // Signs are the tag's own: a controller without unsigned types keeps them in signed ones.
    expect(states(ring, tags)).toEqual([BAD.exception, GOOD]);
    expect(newest(ring, [tags[1]!])).toEqual([4294967295]);
    expect([...bench.session.refusals!]).toEqual([
      [tags[0]!, expect.stringContaining("A: in the controller it is REAL")]]);
    bench.session.readRaw(tags[0]!, new Uint8Array(4), 0);
    expect([bench.run(0), bench.session.exception]).toEqual([BAD.exception, 0x2107]);
  });
});

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""),
  "hex"));

/** A session whose controller is played by hand. */
function scripted(one: DriverTag, settings = {}) {
  const { ring, tags } = ringFor([one]);
  const wire = new ScriptedWire();
  const link = linkOf(ethernetIp, { ...kit.settings, ...settings });
  const session = ethernetIp.open(link, wire);
  const why: (string | undefined)[] = [];
  wire.reset = (text?: string) => {
    why.push(text);
    session.abort();
  };
  ring.claim(1);
  session.read(ethernetIp.plan(tags, link)[0]!, ring, ring.head, 0);
  const give = (bytes: Uint8Array): void => session.receive(bytes, bytes.length, 0);
  return {
    ring, tags, wire, session, why, give,
    register: (status = "00000000") => give(hex(`6500 0400 44332211 ${status} ` +
      `${wire.last.subarray(12, 20).toHex()} 00000000 0100 0000`)),
    /** The answer to what was sent last. */
    answer: (text: string) => {
      const message = hex(text);
      const n = message.length;
      give(Buffer.concat([hex("6f00"), Uint8Array.of(16 + n, 0), hex("44332211 00000000"),
        wire.last.subarray(12, 20), hex("00000000 00000000 0000 0200 00000000 b200"),
        Uint8Array.of(n, 0), message]));
    },
  };
}

describe("a text", () => {
  const name = tag("Name", "text(20)", { id: "d.name", writable: true });
  const read = (controller: ReturnType<typeof scripted>, text: string): unknown[] => {
    const raw = new Uint8Array(ethernetIp.rawBytes(name));
    controller.session.readRaw(controller.tags[0]!, raw, 0);
    controller.answer(text);
    return [controller.session.result, ethernetIp.decode(name, raw)];
  };
  /** An answer with a structure of 88 bytes: a length and characters. */
  const structure = (handle: string, text: string): string => `cc000000 a002 ${handle} ` +
    `${Uint8Array.of(text.length).toHex()}000000 ${Buffer.from(text).toString("hex")} ` +
    "00".repeat(84 - text.length);
  const connected = (one = name) => {
    const controller = scripted(one, { slot: "none" });
    controller.register();
    controller.answer(structure("ce0f", "OK"));
    controller.ring.publish(1);
    expect(newest(controller.ring, controller.tags)).toEqual(["OK"]);
    return controller;
  };

  test("goes out as the controller's own STRING, whole", () => {
    const controller = connected();
    expect(read(controller, structure("ce0f", "OK"))).toEqual([DONE, "OK"]);
    const { bytes } = ethernetIp.encode(name, "R-1", link);
    controller.session.write(controller.tags[0]!, bytes, () => Infinity, 0);
    expect(controller.wire.last.subarray(40).toHex()).toBe("4d0391044e616d65" + "a002ce0f" +
      "0100" + "03000000" + "522d31" + "00".repeat(81));
    controller.answer("cd000000");
    expect(controller.session.result).toBe(DONE);
  });

  test.each([["d000 0200 4f4b", "d000" + "0100" + "0300" + "522d31"],
    ["da00 02 4f4b", "da00" + "0100" + "03" + "522d31"]])(
    "goes out as the type that was read: %s", (value, frame) => {
      const controller = connected();
      expect(read(controller, `cc000000 ${value}`)).toEqual([DONE, "OK"]);
      const { bytes } = ethernetIp.encode(name, "R-1", link);
      controller.session.write(controller.tags[0]!, bytes, () => Infinity, 0);
      expect(controller.wire.last.subarray(40).toHex()).toBe(`4d0391044e616d65${frame}`);
    });

  test("is not to be had of a structure that nobody knows, nor of less room than the tag's", () => {
    const controller = connected();
    expect(read(controller, structure("3412", "OK"))[0]).toBe(BAD.exception);
    expect(controller.session.trouble).toContain("not the controller's own STRING is only read");
    expect(read(controller, structure("ce0f", "longer than twenty characters"))[0])
      .toBe(BAD.exception);
    expect(controller.session.trouble).toContain("has 29 of at most 82 characters");
    expect(read(controller, structure("ce0f", "OK").replace("02000000", "02000100"))[0])
      .toBe(BAD.garbled);
  });
});

describe("the connection", () => {
  test("a read goes to the controller's slot, and without one to the device itself", () => {
    const routed = scripted(tag("Temp", "float32"), { slot: 3 });
    routed.register();
    // Unconnected send, its size, the read, the route: port 1, slot 3.
    expect(routed.wire.last.subarray(40).toHex())
      .toBe("52022006240105" + "9d0a00" + "4c03910454656d700100" + "01000103");
    expect(routed.wire.last.subarray(4, 8).toHex()).toBe("44332211");
    const direct = scripted(tag("Temp", "float32"), { slot: "none" });
    direct.register();
    expect(direct.wire.last.subarray(40).toHex()).toBe("4c03910454656d700100");
    expect(ethernetIp.route!(linkOf(ethernetIp, { ...kit.settings, slot: 2 }))).toBe(" slot 2");
  });

  test("a session that is refused, and another protocol, are told in words", () => {
    const refused = scripted(tag("Temp", "float32"));
    refused.register("01000000");
    expect([refused.why[0], refused.session.result])
      .toEqual([expect.stringContaining("status 1"), BAD.disconnected]);
    const http = scripted(tag("Temp", "float32"));
    http.give(hex("48545450 2f312e31"));
    expect(http.why[0]).toContain("right port");
  });

  test("a wrong slot is an exception of the station that says so", () => {
    const { session, register, answer } = scripted(tag("Temp", "float32"));
    register();
    answer("d2 00 01 01 1203 01 00");
    expect([session.result, session.exception]).toEqual([BAD.exception, 0x0312]);
    expect(session.trouble).toContain("no controller in that slot (0x312)");
    expect([0x0312, 0x04, 0x2107].every((code) => ethernetIp.rejects(code))).toBe(true);
    expect([0x0204, 0x01, 0x06].some((code) => ethernetIp.rejects(code))).toBe(false);
  });

  test("a device that refuses the frame: what to try; and a write stays open", () => {
    const { session, register, wire, give, tags } = scripted(tag("Temp", "float32"));
    register();
    give(Buffer.concat([hex("6f00 0000 44332211 08000000"), wire.last.subarray(12, 20),
      hex("00000000")]));
    expect(session.result).toBe(DONE);
    expect(session.refusals!.get(tags[0]!)).toMatch(
      /Temp: the device refuses the .*"slot": "none".*status 8/);
    expect(ethernetIp.rejects(0x10008)).toBe(false);
  });

  test("texts of a controller: STRING, and those that claim more than there is", () => {
    const { session, register, answer, ring, tags } = scripted(tag("Name", "text(8)"));
    register();
    answer(`cc 00 00 00 a002 ce0f 03000000 616263 ${"00".repeat(81)}`);
    ring.publish(1);
    expect(newest(ring, tags)).toEqual(["abc"]);
    const link = linkOf(ethernetIp, kit.settings);
    const again = (text: string): number => {
      ring.claim(1);
      session.read(ethernetIp.plan(tags, link)[0]!, ring, ring.head, 0);
      answer(text);
      ring.publish(1);
      return states(ring, tags)[0]!;
    };
    expect(again(`cc 00 00 00 a002 ce0f ff000000 616263 ${"00".repeat(81)}`)).toBe(ERROR.length);
    expect(again("cc 00 00 00 da00 02 6869")).toBe(GOOD);
    expect(newest(ring, tags)).toEqual(["hi"]);
    expect(again("cc 00 00 00 d000 0900 686968696869686968")).toBe(ERROR.length);
  });
});

describe("writing", () => {
  test("names the controller's own type, as it was read", () => {
    const { ring, tags } = ringFor([tag("Level", "uint16", { id: "d.l", writable: true })]);
    const bench = benchOf([tag("Level", "int16", { id: "d.l" })]);
    bench.poll(ring, tags, 0);
    const raw = new Uint8Array(2);
    bench.session.readRaw(tags[0]!, raw, 0);
    bench.run(0);
    const { bytes } = ethernetIp.encode(tags[0]!, 40_000, bench.link);
    bench.session.write(tags[0]!, bytes, () => Infinity, 0);
    expect([bench.run(0), bench.written]).toEqual([DONE, [["d.l", 40_000 - 65_536]]]);
  });

  /** Two bytes of the frame of a write with `left_ms` until its deadline; null = none left. */
  function routed(left_ms: number, settings = {}): { wire: ScriptedWire; ms: number | null } {
    const { register, answer, wire, session } = scripted(tag("Temp", "float32"),
      { timeout: "3s", ...settings });
    register();
    answer("cc 00 00 00 ca00 00000000");
    expect(session.result).toBe(DONE);
    const before = wire.sent.length;
    session.write(tag("Temp", "float32", { writable: true }), new Uint8Array(4),
      () => 1000 + left_ms, 1000);
    if (wire.sent.length === before) {
      expect([session.result, session.sent]).toEqual([BAD.disconnected, false]);
      return { wire, ms: null };
    }
    expect(session.frame).toEqual(wire.last);
    return { wire, ms: 2 ** (wire.last[46]! & 0xf) * wire.last[47]! };
  }

  test("W14: the chassis may try no longer than is left of deadline and timeout", () => {
    expect([255, 255.9, 40.7, 1].map((left) => routed(left).ms)).toEqual([255, 255, 40, 1]);
    for (let left = 1; left < 5_000; left += 7.25) {
      const { ms } = routed(left);
      const most = Math.min(left, 3_000);
      expect(ms!).toBeLessThanOrEqual(most);
      // The finest ticks: at most one of them is lost.
      expect(ms!).toBeGreaterThan(most * 127 / 128 - 1);
    }
    expect(routed(Infinity).ms).toBe(2_992);
    expect(routed(0.9).ms).toBeNull();
    expect(routed(-3).ms).toBeNull();
  });

  test("reads give the chassis its time, and a write without a slot has no such bytes", () => {
    const { wire } = routed(50);
    expect(wire.sent[1]!.subarray(46, 48).toHex()).toBe("059d");
    expect(routed(50, { slot: "none" }).wire.last.subarray(40, 48).toHex())
      .toBe("4d03910454656d70");
  });

  test("a BOOL is a tag of its own", () => {
    const { ring, tags } = ringFor([tag("Run", "bool", { id: "d.r", writable: true })]);
    const bench = benchOf(tags);
    bench.poll(ring, tags, 0);
    const { bytes } = ethernetIp.encode(tags[0]!, 1, bench.link);
    bench.session.write(tags[0]!, bytes, () => Infinity, 0);
    expect([bench.run(0), bench.written]).toEqual([DONE, [["d.r", 1]]]);
  });
});
