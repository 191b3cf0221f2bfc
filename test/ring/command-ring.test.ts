import { expect, test } from "bun:test";
import {
  Arena, CommandReader, CommandWriter, Ring, readCell, tagColumn, writeCell,
} from "../../src/ring.ts";

const layout = Ring.layout("commands", [tagColumn("id", "int64"), tagColumn("raw", "bytes(8)")], 4);

function queue(start = 0) {
  const ring = Ring.create(Arena.create(1 << 12), layout).ring;
  ring.arena.I[ring.headAt] = start;
  ring.arena.I[ring.cursorAt] = start;
  const into = Ring.create(Arena.create(1 << 12), layout).ring;
  return { ring, writer: new CommandWriter(ring), reader: new CommandReader(ring, into), into };
}

function push(writer: CommandWriter, id: number): boolean {
  return writer.push((ring, seq) => {
    writeCell(ring, ring.column("id")!, seq, BigInt(id));
    writeCell(ring, ring.column("raw")!, seq, Uint8Array.of(id, id));
  });
}

test("first in, first out; full is an answer and loses nothing; across the wrap", () => {
  const { writer, reader, into } = queue(0x7ffffffe);
  let sent = 0, taken = 0;
  for (let round = 0; round < 10; round++) {
    while (push(writer, sent)) sent++;
    expect(writer.waiting).toBe(4);
    for (let i = 0; i < 3; i++) {
      expect(reader.pop()).toBe(true);
      expect(readCell(into, into.column("id")!, reader.seq)).toBe(BigInt(taken));
      expect(readCell(into, into.column("raw")!, reader.seq)).toEqual(Uint8Array.of(taken, taken));
      taken++;
    }
  }
  while (reader.pop()) taken++;
  expect(taken).toBe(sent);
  expect(writer.waiting).toBe(0);
});

test("a full ring does not call fill", () => {
  const { writer } = queue();
  for (let i = 0; i < 4; i++) expect(push(writer, i)).toBe(true);
  let called = false;
  expect(writer.push(() => { called = true; })).toBe(false);
  expect(called).toBe(false);
});

test("W14: a reader that dies while acting is not handed the record again", () => {
  const { ring, writer, reader } = queue();
  push(writer, 1);
  push(writer, 2);
  expect(reader.pop()).toBe(true);
  // Its successor, over the same shared words.
  const into = Ring.create(Arena.create(1 << 12), layout).ring;
  const next = new CommandReader(ring, into);
  expect(next.pop()).toBe(true);
  expect(readCell(into, into.column("id")!, next.seq)).toBe(2n);
  expect(next.pop()).toBe(false);
});

test("a copy of the record was taken: the writer may fill its place again at once", () => {
  const { writer, reader, into } = queue();
  push(writer, 1);
  reader.pop();
  for (let id = 2; id <= 5; id++) expect(push(writer, id)).toBe(true);
  expect(readCell(into, into.column("id")!, reader.seq)).toBe(1n);
});
