import { formatDuration } from "../../base.ts";
import type { Link } from "../../config.ts";
import type { Trouble } from "../../driver.ts";
import { BAD } from "../../ring.ts";
import type { S7Link } from "./settings.ts";

/** The one refusal that says of a range that a part of it may be there. */
export const PAST_THE_END = 0x05;

/** What the return code of one item means, and what to try (the codes are the field's own). */
const items: Readonly<Record<number, string>> = {
  0x01: "the hardware has failed or the module is missing",
  0x03: "the PLC does not permit it: look at its protection level, and at the block's own access",
  [PAST_THE_END]: "the address lies past the end of the block or area",
  0x06: "the PLC does not have this type of data here",
  0x07: "type and length do not fit one another here",
  0x0a: "there is no such block, or its access is optimised: in TIA Portal take away \"Optimized " +
    "block access\" in the block's attributes, compile and load it",
};

/** Class and code of a telegram that was refused as a whole. */
const telegrams: Readonly<Record<number, string>> = {
  0x8104: "the PLC permits no access from outside: in TIA Portal tick \"Permit access with " +
    "PUT/GET communication\" in the CPU's protection settings and load it",
  0x8402: "the PLC is busy with something else",
  0x8404: "the PLC has lost the thread of the connection, or refuses the address",
  0x8500: "the telegram is larger than the PLC takes",
  0xd602: "the PLC's protection level asks for a password",
};

const hex = (code: number): string => `0x${code.toString(16).toUpperCase().padStart(2, "0")}`;

export function wordsOf(code: number): string {
  const words = code > 0xff ? telegrams[code] : items[code];
  return `${words ?? "the PLC refuses it"} (${hex(code)})`;
}

export function advise(trouble: Trouble, link: Link): string | null {
  const { rack, slot, timeout } = link.settings as S7Link;
  switch (trouble.state) {
    case BAD.disconnected: return `or the PLC knows no rack ${rack}, slot ${slot} there`;
    case BAD.timeout:
      return `the PLC is too slow for the ${formatDuration(timeout)} of "timeout", or something ` +
        "between it and here swallows its answers";
    case BAD.garbled: return "is it an S7 PLC, and is nothing between that changes telegrams?";
    case BAD.address:
      return "there is no such block, or it is shorter, or its access is optimised (in TIA " +
        "Portal take away \"Optimized block access\")";
    default: return trouble.exception === 0 ? null : wordsOf(trouble.exception);
  }
}

/** The address is not there. */
export const isAddress = (code: number): boolean => code === PAST_THE_END || code === 0x0a;

/** Codes that say that nothing was written; a failed module, or one that is unknown, does not. */
const rejections: ReadonlySet<number> =
  new Set([0x03, PAST_THE_END, 0x06, 0x07, 0x0a, 0x8104, 0x8500, 0xd602]);
export const isRejection = (code: number): boolean => rejections.has(code);
