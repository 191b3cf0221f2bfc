import { expect, test } from "bun:test";
import { planRanges, Range, type Packing } from "../../src/driver/wire/ranges.ts";
import { runsOf } from "../../src/driver/wire/runs.ts";
import { tag } from "./support.ts";

interface Place {
  readonly tag: ReturnType<typeof tag>;
  readonly at: number;
  code: number;
}

/** Code by which the device of these tests refuses a read. */
const REFUSED = 5;

class Places extends Range<Place> {
  get text(): string {
    const [from, to] = [this.fields[0]!.at, this.fields.at(-1)!.at];
    return from === to ? `${from}` : `${from}..${to}`;
  }

  isDivisible(): boolean {
    return true;
  }
}

const packing: Packing<Place, Places> = {
  join: (fields) => runsOf(fields, ({ at }) => at + 1, ({ code }, end, next) =>
    code === next.code && end === next.at).map((run) => new Places(run.fields)),
  single: (field) => new Places([field]),
  starts: (ranges) => [0, ranges.length],
};

/** What a device with ten places is asked in one poll after the other. */
function asked(polls: number, refuses: (places: readonly number[]) => boolean): string[] {
  const places = Array.from({ length: 10 }, (_, at) =>
    ({ tag: tag(`${at}`, "int16"), at, code: 0 }));
  const [request] = planRanges(places, packing, 0);
  return Array.from({ length: polls }, () => {
    const { ranges } = request!;
    for (const range of ranges) {
      range.note(refuses(range.fields.map(({ at }) => at)) ? REFUSED : 0);
    }
    request!.end();
    return ranges.map(({ text }) => text).join(" ");
  });
}

const apart = "0 1 2 3 4 5 6 7 8 9";

test("a tag that is not there is found, and the others are read together again", () => {
  const around = "0..6 7 8..9";
  expect(asked(5, (places) => places.includes(7))).toEqual(
    ["0..9", apart, around, around, around]);
});

test("a device that takes no range of this length is read apart for good", () => {
  expect(asked(5, (places) => places.length > 4)).toEqual(["0..9", apart, apart, apart, apart]);
});

test("what is refused as a whole is tried one by one again after a hundred polls", () => {
  const polls = asked(104, () => true);
  expect(polls.slice(0, 3)).toEqual(["0..9", apart, "0..9"]);
  expect(polls.flatMap((ranges, i) => (ranges === apart ? [i] : []))).toEqual([1, 103]);
});
