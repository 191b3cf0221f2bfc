import { formatDuration } from "../../base.ts";
import type { Link } from "../../config.ts";
import type { Trouble } from "../../driver.ts";
import { BAD } from "../../ring.ts";
import type { EthernetIpLink } from "./settings.ts";

/** The PLC's tag has another type than the one that was read or written as. */
export const OTHER_TYPE = 0x2107;
const NO_TAG = 0x04, NO_INSTANCE = 0x05, PAST_THE_END = 0x2105;

/** General status of CIP, and the words behind status 1 and FF that people meet. */
const words: Readonly<Record<number, string>> = {
  [NO_TAG]: "there is no such tag: is it spelled as in the program, with Program:NAME. in front " +
    "if it is a program's own, and is its External Access not None?",
  [NO_INSTANCE]: "there is no such element or member",
  0x02: "the controller has no room for more requests now",
  0x06: "the value is longer than one answer",
  0x08: "the controller does not know this service: is it a Logix controller, and \"slot\" its " +
    "own? A device without a chassis has \"slot\": \"none\"",
  0x0e: "the tag cannot be set",
  0x0f: "access is not permitted: External Access must be Read/Write to write, Read Only to read",
  0x10: "the controller's mode or state does not permit it",
  0x11: "the answer is longer than a message",
  0x13: "too few bytes for this tag",
  0x15: "too many bytes for this tag",
  0x26: "the path of the tag is too long or too short",
  0x0107: "the connection is not known any more",
  0x0204: "nobody answers in that slot: the controller's slot is 0 in a CompactLogix",
  0x0311: "there is no such way to the slot: is \"slot\" the controller's, and is this address " +
    "that of its chassis?",
  0x0312: "there is no controller in that slot",
  0x2101: "the key switch or the mode of the controller does not permit it",
  0x2104: "the element lies past the end",
  [PAST_THE_END]: "the element lies past the end of the array",
  [OTHER_TYPE]: "the tag has another type in the controller",
};

/** A frame that was refused before anybody looked at the message in it; its status is added. */
export const FRAME_REFUSED = 0x10000;

export function wordsOf(code: number): string {
  if (code >= FRAME_REFUSED) {
    return "the device refuses the message: is \"slot\" the controller's? A device without a " +
      `chassis has "slot": "none" (status ${code - FRAME_REFUSED})`;
  }
  const hex = code.toString(16).toUpperCase().padStart(2, "0");
  return `${words[code] ?? "the controller refuses it"} (0x${hex})`;
}

export function advise({ state, exception }: Trouble, link: Link): string | null {
  const { slot, timeout } = link.settings as EthernetIpLink;
  switch (state) {
    case BAD.disconnected: return "does EtherNet/IP run there, with explicit messages?";
    case BAD.timeout:
      return `nothing came within the ${formatDuration(timeout)} of "timeout": is the controller ` +
        `in slot ${slot}, and not too busy?`;
    case BAD.garbled: return "is it a Logix controller, and is this its port for EtherNet/IP?";
    case BAD.address: return wordsOf(NO_TAG);
    default: return exception === 0 ? null : wordsOf(exception);
  }
}

const addresses: ReadonlySet<number> = new Set([NO_TAG, NO_INSTANCE, 0x2104, PAST_THE_END]);
export const isAddress = (code: number): boolean => addresses.has(code);

/** Codes that say that nothing was written; a way that gave no answer does not. */
const rejections: ReadonlySet<number> = new Set([
  ...addresses, 0x02, 0x08, 0x0e, 0x0f, 0x10, 0x13, 0x15, 0x26, 0x0311, 0x0312, 0x2101, OTHER_TYPE,
]);
export const isRejection = (code: number): boolean => rejections.has(code);
