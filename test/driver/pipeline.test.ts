import { describe, expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { DONE, modbusTcp, PENDING, type Session } from "../../src/driver.ts";
import { BAD, readCell } from "../../src/ring.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "./support.ts";

const places = Array.from({ length: 8 }, (_, i) => tag(`holding ${i * 1000}`, "uint16"));
const { ring, tags } = ringFor(places);
const link = linkOf(modbusTcp, { host: "a", timeout: "100ms", inFlight: 8 });
const requests = modbusTcp.plan(tags, link);

function begin(): { wire: ScriptedWire; main: Session; all: Session[] } {
  const wire = new ScriptedWire();
  const main = modbusTcp.open(link, wire);
  wire.closed = () => main.abort();
  const all = [main, ...main.beside!];
  return { wire, main, all };
}

const start = (all: Session[], seq: number, now: number): void =>
  all.forEach((session, i) => session.read(requests[i]!, ring, seq, now));

/** Each register holds a thousandth of its address, and what was asked for in which order. */
const answer = (request: Uint8Array): Uint8Array => {
  const place = (request[8]! << 8) | request[9]!;
  return Uint8Array.of(request[0]!, request[1]!, 0, 0, 0, 5, 1, 3, 2, 0, place / 1000 + 1);
};

describe("inFlight", () => {
  test("answers in any order and in any pieces come to whom they belong", () => {
    const { wire, main, all } = begin();
    const random = createRandom(7);
    for (let seq = 0; seq < 20; seq++) {
      wire.sent.length = 0;
      start(all, seq, seq * 10);
      expect(wire.sent.length).toBe(8);
      const shuffled = wire.sent.map((sent) => ({ sent, place: random.below(1e9) }))
        .sort((a, b) => a.place - b.place);
      const stream = shuffled.flatMap(({ sent }) => [...answer(sent)]);
      while (stream.length > 0) {
        const piece = Uint8Array.from(stream.splice(0, 1 + random.below(30)));
        main.receive(piece, piece.length, seq * 10 + 1);
      }
      expect(all.map(({ result }) => result)).toEqual(all.map(() => DONE));
      expect(ring.columns.map((c) => readCell(ring, c, seq))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    }
    expect(main.counters).toMatchObject({ requests: 160, answers: 160, stray: 0, garbled: 0 });
  });

  test("one that is not answered ends by itself; its late answer is nobody's", () => {
    const { wire, main, all } = begin();
    start(all, 0, 0);
    const sent = [...wire.sent];
    for (const [i, bytes] of sent.entries()) {
      if (i !== 3) main.receive(answer(bytes), 11, 1);
    }
    for (const session of all) session.step(100);
    expect(all.map(({ result }) => result))
      .toEqual(all.map((_, i) => (i === 3 ? BAD.timeout : DONE)));
    all[3]!.read(requests[3]!, ring, 1, 101);
    main.receive(answer(sent[3]!), 11, 102);
    expect(all[3]!.result).toBe(PENDING);
    main.receive(answer(wire.last), 11, 103);
    expect(all[3]!.result).toBe(DONE);
    expect(main.counters).toMatchObject({ timeouts: 1, stray: 11 });
  });

  test("what is no frame resets the connection, and all end", () => {
    const { wire, main, all } = begin();
    start(all, 0, 0);
    main.receive(new Uint8Array(40).fill(0xee), 40, 1);
    expect(wire.resets).toBe(1);
    expect(all.map(({ result }) => result)).toEqual(all.map(() => BAD.disconnected));
  });

  test("only frames with transaction numbers can be told apart", () => {
    expect(() => linkOf(modbusTcp, { host: "a", framing: "rtu", inFlight: 2 }))
      .toThrow("say whose answer");
  });
});
