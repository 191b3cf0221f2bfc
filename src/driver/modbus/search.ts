import type { Search } from "../../driver.ts";

/** What is asked: FC3, FC4, FC1 and FC2, of one register or bit each. */
const areas = [
  { name: "holding", type: "uint16" }, { name: "input", type: "uint16" },
  { name: "coil", type: "bool" }, { name: "discrete", type: "bool" },
] as const;

const common = {
  stations: [1, 247],
  areas,
  last: 65_535,
  // 1: this function is unknown, so the whole area is.
  withoutArea: [1],
  // A gateway says that nobody answers behind it: no path, no answer.
  absent: [10, 11],
} as const;

export const ipSearch: Search = { ...common, lines: [] };

/** The usual speeds with the usual parities; what the factory set is mostly among the first. */
export const busSearch: Search = {
  ...common,
  lines: [9600, 19200, 115200, 38400, 57600, 4800, 2400].flatMap((baud) => [
    { baud, parity: "even", stopBits: 1 }, { baud, parity: "none", stopBits: 1 },
    { baud, parity: "odd", stopBits: 1 }, { baud, parity: "none", stopBits: 2 },
  ]),
};
