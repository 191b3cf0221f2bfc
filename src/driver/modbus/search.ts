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

/** What the factory set is mostly among the first. */
const speeds = [9600, 19200, 115200, 38400, 57600, 4800, 2400];

/** The usual speeds with the usual parities. */
export const rtuSearch: Search = {
  ...common,
  lines: speeds.flatMap((baud) => [
    { baud, parity: "even", stopBits: 1 }, { baud, parity: "none", stopBits: 1 },
    { baud, parity: "odd", stopBits: 1 }, { baud, parity: "none", stopBits: 2 },
  ]),
};

/** The standard has 7 bits and even parity; many devices take 8 without. */
export const asciiSearch: Search = {
  ...common,
  lines: speeds.flatMap((baud) => [
    { baud, dataBits: 7, parity: "even", stopBits: 1 },
    { baud, dataBits: 8, parity: "none", stopBits: 1 },
    { baud, dataBits: 7, parity: "none", stopBits: 2 },
    { baud, dataBits: 7, parity: "odd", stopBits: 1 },
  ]),
};
