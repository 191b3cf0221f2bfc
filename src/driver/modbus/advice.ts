import type { Link } from "../../config.ts";
import type { DriverTag, Trouble } from "../../driver.ts";
import { BAD } from "../../ring.ts";
import { parseAddress, type Address, type Area } from "./address.ts";
import { ILLEGAL_ADDRESS } from "./pdu.ts";
import type { RtuLink, TcpLink } from "./settings.ts";

/** What to try where a bus is silent, or where what comes is no frame. */
export function adviseOnBus(trouble: Trouble, link: Link): string | null {
  const { station, state, answered, othersAnswer } = trouble;
  const { port, baud, parity } = link.settings as RtuLink;
  const line = `${port} at ${baud} baud, parity ${parity}`;
  const search = `(tagwerk scan ${link.name} --search tries them)`;
  switch (state) {
    case BAD.timeout:
      if (othersAnswer) {
        return `others on this bus answer: is ${station} its number, is it on, and has it the ` +
          "same speed and parity?";
      }
      return answered ? "it answered before: is it on, and is its cable whole?"
        : `nobody answers on ${line}: check speed and parity ${search}, the station's number, ` +
          'whether A and B are swapped, and "rs485"';
    case BAD.garbled:
      return answered || othersAnswer
        ? `there is noise, or two stations have the number ${station}: check the 120 Ω at both ` +
          "ends, the shield, and each station's number"
        : `what comes on ${line} is no frame: check speed and parity ${search}, and whether A ` +
          "and B are swapped";
    default: return adviseOnAnswer(trouble);
  }
}

/** On a bus where another master asks, and we never. */
export function adviseOverheard(trouble: Trouble, link: Link): string | null {
  const { station, tag, state } = trouble;
  const { port, baud, parity } = link.settings as RtuLink;
  const look = `tagwerk frames ${link.name} shows what passes`;
  switch (state) {
    case BAD.initial:
      return `the bus's master has not read ${tag?.at ?? `station ${station}`} yet, or not as a ` +
        `whole, or ${baud} baud and parity ${parity} are not those of ${port}: ${look}`;
    case BAD.old: return `the bus's master has not read it again in time: ${look}`;
    case BAD.timeout: return `station ${station} does not answer its master: is it on?`;
    case BAD.garbled: return "the master got an answer that is no frame: is there noise?";
    default: return adviseOnAnswer(trouble);
  }
}

/** The same where the bytes go over IP. */
export function adviseOverIp(trouble: Trouble, link: Link): string | null {
  const { station, state, answered, othersAnswer } = trouble;
  const { framing } = link.settings as TcpLink;
  const otherwise = framing === "tcp"
    ? 'a serial converter that passes frames on wants "framing": "rtu" (or "ascii")'
    : `a gateway that translates wants "framing": "tcp", not ${framing}`;
  switch (state) {
    case BAD.timeout:
      if (othersAnswer) {
        return `others behind this address answer: is ${station} its number on the bus, and is ` +
          "it on?";
      }
      return answered ? 'it answered before: is it on, and is "timeout" long enough?'
        : `is ${station} the right station? A PLC itself is mostly 1, 0 or 255, behind a gateway ` +
          `it is the number on the bus; ${otherwise}`;
    case BAD.garbled:
      return answered || othersAnswer ? "does somebody else speak on this connection?"
        : `what comes is no frame: is the port right? And ${otherwise}`;
    default: return adviseOnAnswer(trouble);
  }
}

/** What the device itself said, by exception code (application protocol 1.1b3, 7). */
function adviseOnAnswer({ station, state, exception, tag }: Trouble): string | null {
  if (state === BAD.address && tag !== null) return adviseOnAddress(tag);
  if (state !== BAD.exception && state !== BAD.address) return null;
  switch (exception) {
    case 1: return "the device has no such function (exception 1): is the value in another " +
      'table, such as "input" for "holding"? Writes have "writeWith"';
    case ILLEGAL_ADDRESS:
      return "there is no such address (exception 2): tagwerk why TAG says more";
    case 3:
      return 'the device refuses the number of registers (exception 3): try "maxRegisters"';
    case 4: return "the device itself failed (exception 4): its own display or log says more";
    case 5: return "it needs long for this (exception 5)";
    case 6: return 'the device is busy (exception 6): poll less often, or set "pauseBetween"';
    case 8: return "the device finds its memory damaged (exception 8)";
    case 10:
      return `the gateway knows no way to station ${station} (exception 10): is its serial port ` +
        "set up?";
    case 11: return `the gateway gets no answer from station ${station} (exception 11): is that ` +
      "its number on the bus, is it on, and has the gateway its speed and parity?";
    default: return exception === 0 ? null : `exception ${exception} of the device's own`;
  }
}

const others: Readonly<Record<Area, Area>> = {
  holding: "input", input: "holding", coil: "discrete", discrete: "coil",
};
const digits: Readonly<Record<Area, number>> = { coil: 0, discrete: 1, input: 3, holding: 4 };

/** `holding 9 (400010)` */
const named = ({ area, from }: Pick<Address, "area" | "from">): string =>
  `${area} ${from} (${digits[area]}${String(from + 1).padStart(5, "0")})`;

function adviseOnAddress({ at, type, station }: DriverTag): string {
  const { area, from } = parseAddress(at, type, station);
  const before = from === 0 ? "" : `${named({ area, from: from - 1 })}, if its manual counts ` +
    "from 1, or ";
  return `the device has no ${named({ area, from })}: try ${before}the other table, ` +
    named({ area: others[area], from });
}
