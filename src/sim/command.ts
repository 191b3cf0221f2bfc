import { duration, Fault, nearest } from "../base.ts";
import { faultKinds, faultValues, type FaultKind, type FaultOrder } from "./fault.ts";

/** One line of the control channel. */
export type Command =
  | { readonly verb: "fault"; readonly order: FaultOrder }
  | { readonly verb: "clear"; readonly link: string | null }
  | { readonly verb: "set"; readonly tag: string; readonly value: string; readonly lasts: number }
  | { readonly verb: "release" | "get"; readonly tag: string }
  | { readonly verb: "status" | "help" };

export const commandHelp = `fault LINK[/STATION] KIND [VALUE] [OPTION…]
      KIND: ${faultKinds.join(" ")}
      VALUE: a time for delay, stall, other-master; a code for exception
      OPTION: count N, for TIME, chance P, only reads, only writes
clear [LINK]                 end the faults of a link, or all
set DEVICE.TAG VALUE [for TIME]   hold a tag at a value (a text with blanks in quotes)
release DEVICE.TAG           give it back to plant.json
get DEVICE.TAG               what the sensor reads, and what really is
status                       links, connections, faults
help`;

const verbs = ["fault", "clear", "set", "release", "get", "status", "help"] as const;

function wrong(message: string): Fault {
  return new Fault("sim-command", message);
}

/** Reads one line; what it names is checked by whoever runs it. */
export function parseCommand(line: string): Command {
  const words = line.match(/"[^"]*"|\S+/g) ?? [];
  const [verb, first, second] = words;
  switch (verb) {
    case "fault": return { verb, order: parseFault(words.slice(1)) };
    case "clear": return { verb, link: first ?? null };
    case "set": {
      if (first === undefined || second === undefined) throw wrong("set DEVICE.TAG VALUE");
      const options = parseOptions(words.slice(3), ["for"]);
      return { verb, tag: first, value: unquoted(second), lasts: options.lasts };
    }
    case "release": case "get":
      if (first === undefined) throw wrong(`${verb} DEVICE.TAG`);
      return { verb, tag: first };
    case "status": case "help": return { verb };
    default: {
      const meant = nearest(verb ?? "", verbs);
      throw wrong(`unknown command ${verb}${meant === null ? "" : `, ${meant} was meant?`}; ` +
        `known are ${verbs.join(", ")}`);
    }
  }
}

function parseFault(words: readonly string[]): FaultOrder {
  const [place, kind, ...rest] = words;
  if (place === undefined || kind === undefined) throw wrong("fault LINK[/STATION] KIND …");
  if (!isKind(kind)) {
    const meant = nearest(kind, faultKinds);
    throw wrong(`unknown fault ${kind}${meant === null ? "" : `, ${meant} was meant?`}; ` +
      `known are ${faultKinds.join(", ")}`);
  }
  const [link, station] = place.split("/");
  const takes = faultValues[kind];
  const given = takes !== undefined && rest[0] !== undefined && /^\d/.test(rest[0]);
  const value = given ? parseValue(takes.unit, rest.shift()!) : takes?.usual ?? 0;
  const options = parseOptions(rest, ["count", "for", "chance", "only"]);
  // Said without a bound, a connection breaks once.
  if (kind === "disconnect" && options.lasts === Infinity && options.count === Infinity) {
    options.count = 1;
  }
  return {
    kind, link: link!, station: station === undefined ? null : parseWhole(station, "station"),
    value, ...options,
  };
}

interface Options {
  count: number;
  lasts: number;
  chance: number;
  only: "any" | "reads" | "writes";
}

function parseOptions(words: readonly string[], known: readonly string[]): Options {
  let { count, lasts, chance, only }: Options =
    { count: Infinity, lasts: Infinity, chance: 1, only: "any" };
  for (let i = 0; i < words.length; i += 2) {
    const [name, text] = [words[i]!, words[i + 1]];
    if (!known.includes(name)) throw wrong(`unknown option ${name}; known are ${known.join(", ")}`);
    if (text === undefined) throw wrong(`${name} needs a value`);
    switch (name) {
      case "count": count = parseWhole(text, "count"); break;
      case "for": lasts = parseTime(text); break;
      case "chance":
        chance = Number(text);
        if (!(chance > 0 && chance <= 1)) throw wrong(`chance ${text}: more than 0, at most 1`);
        break;
      default:
        if (text !== "reads" && text !== "writes") throw wrong(`only ${text}: reads or writes`);
        only = text;
    }
  }
  return { count, lasts, chance, only };
}

const isKind = (word: string): word is FaultKind =>
  (faultKinds as readonly string[]).includes(word);

function parseValue(unit: "ms" | "code", text: string): number {
  if (unit === "ms") return parseTime(text);
  const code = parseWhole(text, "exception code");
  if (code > 255) throw wrong(`exception code ${text}: 1 to 255`);
  return code;
}

function parseTime(text: string): number {
  const ms = duration(text);
  if (ms === null) throw wrong(`${text} is no time; write it with a unit, such as 500ms`);
  return ms;
}

function parseWhole(text: string, what: string): number {
  const whole = /^\d+$/.test(text) && Number(text) >= 1;
  if (!whole) throw wrong(`${what} ${text}: a whole number from 1`);
  return Number(text);
}

const unquoted = (word: string): string => word.replace(/^"(.*)"$/, "$1");

/** What a tag that is a number, or a bool, is set to. */
export function parseLevel(text: string): number {
  if (text === "true" || text === "false") return Number(text === "true");
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) throw wrong(`${text} is no number, true or false`);
  return value;
}
