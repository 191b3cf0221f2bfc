import { describe, expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { DONE, PENDING, type DriverTag } from "../../src/driver.ts";
import { BAD, GOOD } from "../../src/ring.ts";
import { ringFor, tag } from "../driver/support.ts";
import {
  Bench, kits, linkFor, newest, numberTypes, states, tagsOf, type Kit,
} from "./drivers.ts";

/** What every driver of bytes must do, against its own server, in simulated time. */
const timeout_ms = 100;

function setpoint(kit: Kit): DriverTag {
  return tag(kit.at("float32", 1), "float32", { id: "d.set", writable: true });
}

for (const kit of kits) {
  const { driver } = kit;
  describe(driver.type, () => {
    test("each mistake in an address is one sentence that says what would be right", () => {
      for (const [at, type, says] of kit.wrong) {
        expect([at, driver.checkTag(tag(at, type as "int16"), linkFor(kit))])
          .toEqual([at, expect.stringMatching(says)]);
      }
      for (const one of tagsOf(kit, 2)) expect(driver.checkTag(one, linkFor(kit))).toBeNull();
      const scaled = tag(kit.at("bool", 0), "bool", { scale: 2 });
      expect(driver.checkTag(scaled, linkFor(kit))).toMatch(/scale/);
    });

    test("a plan has each tag exactly once, and few requests", () => {
      const tags = tagsOf(kit, 40);
      const plan = driver.plan(tags, linkFor(kit));
      expect(plan.flatMap((request) => request.tags.map(({ id }) => id)).toSorted())
        .toEqual(tags.map(({ id }) => id).toSorted());
      expect(plan.length).toBeLessThan(tags.length / 8);
      expect(plan.every((request) => request.text !== "" && request.station === 1)).toBe(true);
    });

    test("values of every type come as they are, however the bytes are cut", () => {
      const { ring, tags } = ringFor(tagsOf(kit, 20));
      const bench = new Bench(kit, tags);
      const random = createRandom(7);
      for (const size of [Infinity, 1, 3, 7]) {
        const expected = tags.map((one) => {
          const value = one.type.startsWith("float") ? Math.fround(random.next() * 1e6)
            : random.below(32768) - (one.type.startsWith("u") ? 0 : 16384);
          bench.values.set(one.id, value);
          return value;
        });
        expect(new Set(bench.poll(ring, tags, 0, size))).toEqual(new Set([DONE]));
        expect(newest(ring, tags)).toEqual(expected);
        expect(states(ring, tags).every((state) => state === GOOD)).toBe(true);
      }
      expect(bench.resets).toEqual([]);
    });

    const { item } = kit;
    if (item === undefined) {
      test("an array is refused with what could be done", () => {
        const one = tag(kit.at("int16", 0), "int16[4]");
        expect(driver.checkTag(one, linkFor(kit))).toMatch(/int16\[4\]|a number/);
      });
    } else {
      test.each(["bool", ...numberTypes])("an array of %s is one read of its items", (type) => {
        const count = 11;
        const whole = ringFor([tag(item(type, 0), `${type}[${count}]` as "int16", { id: "d.a" })]);
        const single = ringFor(Array.from({ length: count }, (_, i) =>
          tag(item(type, i), type as "int16", { id: `d.a[${i}]` })));
        expect(driver.checkTag(whole.tags[0]!, linkFor(kit))).toBeNull();
        const [served, other] = [new Bench(kit, whole.tags), new Bench(kit, single.tags)];
        const random = createRandom(11);
        for (const size of [Infinity, 1, 5]) {
          const values = single.tags.map(({ id }) => {
            const value = type === "bool" ? random.below(2) : random.below(32768);
            for (const bench of [served, other]) bench.values.set(id, value);
            return value;
          });
          expect(served.poll(whole.ring, whole.tags, 0, size)).toEqual([DONE]);
          expect(new Set(other.poll(single.ring, single.tags, 0, size))).toEqual(new Set([DONE]));
          expect(states(whole.ring, whole.tags)).toEqual([GOOD]);
          expect(JSON.parse(newest(whole.ring, whole.tags)[0] as string))
            .toEqual(newest(single.ring, single.tags));
          expect(newest(single.ring, single.tags).map(Number)).toEqual(values);
        }
        // What serves the array serves its items too.
        const [now] = newest(whole.ring, whole.tags);
        const both = new Bench(kit, whole.tags);
        for (const [id, value] of served.values) both.values.set(id, value);
        both.poll(single.ring, single.tags, 0);
        expect(newest(single.ring, single.tags)).toEqual(JSON.parse(now as string));
      });
    }

    test("a silent device times out; its late answer is nobody else's", () => {
      const { ring, tags } = ringFor([tag(kit.at("int16", 0), "int16", { id: "d.a" }),
        tag(kit.at("int16", 1), "int16", { id: "d.b" })]);
      const bench = new Bench(kit, tags);
      bench.poll(ring, tags, 0);
      bench.values.set("d.a", 1).set("d.b", 2);
      const [a, b] = tags.map((one) => driver.plan([one], bench.link)[0]!);
      let late: Uint8Array | null = null;
      bench.onAnswer = (bytes) => {
        late = bytes;
        return null;
      };
      ring.claim(1);
      bench.session.read(a!, ring, ring.head, 1000);
      expect(bench.run(1000 + timeout_ms - 1)).toBe(PENDING);
      expect(bench.run(1000 + timeout_ms)).toBe(BAD.timeout);
      // What has no number is told from the next by its connection alone.
      const isGivenUp = kit.isUnnumbered === true;
      expect([bench.session.counters.timeouts, bench.resets.length, bench.isOpen])
        .toEqual([1, isGivenUp ? 1 : 0, !isGivenUp]);
      if (isGivenUp) {
        // Also where the wire still had it when the connection ended.
        bench.session.receive(late!, late!.length, 1000 + timeout_ms);
        bench.open();
      }
      bench.onAnswer = (bytes) => (isGivenUp ? bytes : Buffer.concat([late!, bytes]));
      bench.session.read(b!, ring, ring.head, 1200);
      expect(bench.run(1200)).toBe(DONE);
      ring.publish(1);
      expect(newest(ring, [tags[1]!])).toEqual([2]);
      expect(bench.session.counters.stray).toBe(late!.length);
    });

    test("unplugged in an exchange it is disconnected, and plugged in it begins anew", () => {
      const { ring, tags } = ringFor(tagsOf(kit, 2));
      const fresh = new Bench(kit, tags);
      fresh.poll(ring, tags, 0);
      const bench = new Bench(kit, tags);
      // Where there is a greeting: in that, then in a read; the next connection has one again.
      for (let n = 0; n < 2; n++) {
        bench.onAnswer = (bytes) => bytes.subarray(0, bytes.length >> 1);
        ring.claim(1);
        bench.session.read(driver.plan(tags, bench.link)[0]!, ring, ring.head, n * 1000);
        expect(bench.run(n * 1000)).toBe(PENDING);
        bench.reset();
        expect(bench.session.result).toBe(BAD.disconnected);
        ring.publish(1);
        bench.onAnswer = (bytes) => bytes;
        bench.open();
        bench.frames = [];
        expect(new Set(bench.poll(ring, tags, n * 1000 + 10))).toEqual(new Set([DONE]));
        expect(bench.frames.length).toBe(fresh.frames.length);
      }
    });

    test("W14: a write is one frame after the last look, and is read as written", () => {
      const { ring, tags } = ringFor([setpoint(kit)]);
      const one = tags[0]!;
      const bench = new Bench(kit, tags);
      bench.poll(ring, tags, 0);
      const before = bench.frames.length;
      const { bytes, means } = driver.encode(one, 42.5, linkFor(kit));
      expect([bytes.length, means]).toEqual([driver.rawBytes(one), 42.5]);
      bench.session.write(one, bytes, () => {
        expect(bench.frames.length).toBe(before);
        return Infinity;
      }, 0);
      expect(bench.run(0)).toBe(DONE);
      expect([bench.frames.length - before, bench.session.sent]).toEqual([1, true]);
      expect([...bench.session.frame]).toEqual([...bench.frames.at(-1)!]);
      expect(bench.written).toEqual([["d.set", 42.5]]);
      const raw = new Uint8Array(driver.rawBytes(one));
      bench.session.readRaw(one, raw, 0);
      expect([bench.run(0), driver.decode(one, raw)]).toEqual([DONE, 42.5]);
      expect([...raw]).toEqual([...bytes]);
    });

    test("a bool is written as what it means, and read back", () => {
      const one = tag(kit.at("bool", 1), "bool", { id: "d.on", writable: true });
      expect(driver.checkTag(one, linkFor(kit))).toBeNull();
      const { tags } = ringFor([one]);
      const bench = new Bench(kit, tags);
      // As the gate does: a converter that echoes is known by the read before.
      bench.session.readRaw(tags[0]!, new Uint8Array(driver.rawBytes(tags[0]!)), 0);
      expect(bench.run(0)).toBe(DONE);
      for (const value of [1, 0]) {
        const { bytes, means } = driver.encode(tags[0]!, value, linkFor(kit));
        expect([bytes.length, means]).toEqual([driver.rawBytes(tags[0]!), value]);
        bench.session.write(tags[0]!, bytes, () => Infinity, 0);
        expect(bench.run(0)).toBe(DONE);
        expect(bench.written.at(-1)).toEqual(["d.on", value]);
        const raw = new Uint8Array(driver.rawBytes(tags[0]!));
        bench.session.readRaw(tags[0]!, raw, 0);
        expect([bench.run(0), driver.decode(tags[0]!, raw)]).toEqual([DONE, value]);
      }
    });

    const { textAt } = kit;
    // What has no texts that are written has nothing to show here.
    if (textAt !== undefined) {
      test("a text is written whole in one frame, so that nothing of a longer one stays", () => {
        const one = tag(textAt, "text(12)", { id: "d.text", writable: true });
        expect(driver.checkTag(one, linkFor(kit))).toBeNull();
        const { ring, tags } = ringFor([one]);
        const bench = new Bench(kit, tags);
        const raw = new Uint8Array(driver.rawBytes(tags[0]!));
        const read = (): unknown => {
          bench.session.readRaw(tags[0]!, raw, 0);
          return [bench.run(0), driver.decode(tags[0]!, raw)];
        };
        bench.values.set("d.text", "");
        expect(read()).toEqual([DONE, ""]);
        for (const text of ["Mill 12-3456", "R-1", ""]) {
          const { bytes, means } = driver.encode(tags[0]!, text, linkFor(kit));
          expect([bytes.length, means]).toEqual([raw.length, text]);
          const before = bench.frames.length;
          bench.session.write(tags[0]!, bytes, () => Infinity, 0);
          expect([bench.run(0), bench.frames.length - before]).toEqual([DONE, 1]);
          expect(bench.written.at(-1)).toEqual(["d.text", text]);
          expect(read()).toEqual([DONE, text]);
          bench.poll(ring, tags, 0);
          expect(newest(ring, tags)).toEqual([text]);
        }
        expect(() => driver.encode(tags[0]!, "thirteen char", linkFor(kit))).toThrow(/13 bytes/);
        expect(() => driver.encode(tags[0]!, "Mühle", linkFor(kit))).toThrow(/U\+00fc/);
        expect(() => driver.encode(tags[0]!, 5, linkFor(kit))).toThrow(/takes a text/);
      });
    }

    test("whatever is wrong, the advice is one sentence that can be read in a list", () => {
      const [one] = tagsOf(kit, 1);
      for (const [name, state] of Object.entries(BAD)) {
        for (const bits of Array.from({ length: 8 }, (_, i) => i)) {
          const [answered, othersAnswer, named] = [1, 2, 4].map((bit) => (bits & bit) !== 0);
          const advice = driver.advise({ station: 7, state, exception: 0, answered: answered!,
            othersAnswer: othersAnswer!, tag: named! ? one! : null }, linkFor(kit));
          expect([name, advice]).toEqual([name, advice === null ? null
            : expect.stringMatching(/^.{15,300}$/)]);
          if (name === "timeout" || name === "garbled") expect(advice).not.toBeNull();
        }
      }
      for (let exception = 0; exception < 256; exception++) {
        expect(driver.advise({ station: 7, state: BAD.exception, exception, answered: true,
          othersAnswer: false, tag: null }, linkFor(kit)) ?? "").toMatch(/^.{0,300}$/);
      }
    });

    test("frames are words for a person", () => {
      const { ring, tags } = ringFor([setpoint(kit)]);
      const bench = new Bench(kit, tags);
      const answers: Uint8Array[] = [];
      bench.onAnswer = (bytes) => {
        answers.push(bytes);
        return bytes;
      };
      bench.poll(ring, tags, 0);
      const { bytes } = driver.encode(tags[0]!, 42.5, linkFor(kit));
      bench.session.write(tags[0]!, bytes, () => Infinity, 0);
      bench.run(0);
      const asked = bench.frames.map((frame) => driver.readable(frame, true, bench.link));
      const given = answers.map((frame) => driver.readable(frame, false, bench.link));
      expect([...asked, ...given].every((text) => text !== null && text.length > 5)).toBe(true);
      expect([asked.at(-2), asked.at(-1)]).toEqual(
        [expect.stringContaining("reads"), expect.stringContaining("writes")]);
      expect(driver.readable(bench.frames[0]!.subarray(0, -1), true, bench.link)).toBeNull();
    });

    test("W11: nothing leaves when the last look says no, also on a fresh connection", () => {
      const { tags } = ringFor([setpoint(kit)]);
      const bench = new Bench(kit, tags);
      bench.session.write(tags[0]!, driver.encode(tags[0]!, 1, linkFor(kit)).bytes, () => null, 0);
      expect(bench.run(0)).toBe(BAD.disconnected);
      expect([bench.session.sent, bench.written]).toEqual([false, []]);
    });

    test("W14: an unanswered write resets the connection, by its deadline", () => {
      const { ring, tags } = ringFor([setpoint(kit)]);
      const bench = new Bench(kit, tags);
      bench.poll(ring, tags, 0);
      bench.onAnswer = () => null;
      bench.session.write(tags[0]!, driver.encode(tags[0]!, 1, linkFor(kit)).bytes, () => 30, 0);
      expect(bench.run(29)).toBe(PENDING);
      expect(bench.run(30)).toBe(BAD.timeout);
      expect([bench.session.sent, bench.resets.length, bench.written.length]).toEqual([true, 1, 1]);
    });

    test("what the tag cannot hold is refused with its place", () => {
      const one = tag(kit.at("int16", 0), "int16", { id: "d.i", writable: true });
      expect(() => driver.encode(one, 40_000, linkFor(kit))).toThrow(/d\.i.*32767/);
      expect(() => driver.encode(one, NaN, linkFor(kit))).toThrow(/no number/);
    });
  });
}
