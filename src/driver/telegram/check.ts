import { Fault, limits, nearest, orFault } from "../../base.ts";
import type { DriverTag } from "../../driver.ts";
import { arrayOf, BAD, GOOD, isTextType, readsAsNull, stateName } from "../../ring.ts";
import { scaleProblem } from "../scaling.ts";
import { textProblem, textRoom } from "../wire/text.ts";
import { BYTE, FIELD, GROUP, parseAddress, type Address } from "./address.ts";
import { Field, isKnownType } from "./codec.ts";
import { namesStation } from "./station.ts";
import { textOf } from "./notation.ts";
import { telegramOf } from "./plan.ts";
import type { SharedLink, TelegramSettings } from "./settings.ts";
import type { Telegram } from "./telegram.ts";

/** One sentence of what would be right for this tag, or null. */
export function tagProblem(tag: DriverTag, link: SharedLink): string | null {
  const address = orFault(() => parseAddress(tag.at));
  if (address instanceof Fault) return address.message;
  const names = Object.keys(link.telegrams);
  const settings = Object.hasOwn(link.telegrams, address.telegram)
    ? link.telegrams[address.telegram] : undefined;
  if (settings === undefined) {
    const meant = nearest(address.telegram, names);
    return `\`${tag.at}\`: the link has no telegram ${address.telegram}; it has ` +
      `${names.join(", ") || "none"}${meant === null ? "" : `; was ${meant} meant?`}`;
  }
  const telegram = telegramOf(address.telegram, link, tag.station);
  return stationProblem(tag, settings) ?? typeProblem(tag, address) ??
    placeProblem(tag, address, telegram, link) ??
    pollProblem(tag, telegram) ?? (tag.writable ? writeProblem(tag, settings, telegram) : null) ??
    exampleProblem(tag, address, telegram);
}

/** Of several machines on one line it must be certain who is asked, and who answered. */
function stationProblem(
  { at, station }: DriverTag, { send, write, acknowledge, match }: TelegramSettings,
): string | null {
  const [asks, sets, tells] = [send, write, match].map(namesStation);
  if (!asks && !sets && !tells) {
    return station === 1 ? null : `Station ${station}: \`${at}\` says it to no machine; put ` +
      "{station} into its `send` and `match`, or leave the station out";
  }
  const answers = acknowledge === undefined || namesStation(acknowledge);
  const missing = send !== undefined && !asks ? "send" : write !== undefined && !sets ? "write"
    : !answers ? "acknowledge" : !tells ? "match" : null;
  return missing === null ? null : `\`${at}\`: {station} must stand in its \`${missing}\` too, ` +
    "so that no machine is taken for another";
}

function typeProblem(tag: DriverTag, { place }: Address) {
  const { type } = tag;
  if (arrayOf(type) !== null) {
    return `A ${type} cannot stand in a telegram: its fields are values of their own, so each ` +
      "item needs a tag";
  }
  if (!isKnownType(type)) {
    const instead = type.endsWith("int64") ? "float64 (whole numbers up to 2^53 are exact)"
      : type === "time" ? "text(n), and convert it in a rule" : "text(n)";
    return `A ${type} cannot stand in a telegram; use ${instead}`;
  }
  const unscalable = scaleProblem(tag);
  if (unscalable !== null) return unscalable;
  if (place.bit >= 0 && type !== "bool") return `.${place.bit} picks a bit: the type must be bool`;
  if (place.kind === BYTE && isTextType(type)) {
    return "A text stands in characters, not in binary bytes: `chars 1..8`";
  }
  return null;
}

function placeProblem(
  { at, type }: DriverTag, { place }: Address, { match, name }: Telegram, link: SharedLink,
) {
  const { separator } = link.telegrams[name]!;
  if (place.kind === FIELD && separator === "") return `\`${at}\`: ${name} has no separator`;
  if (place.kind !== GROUP) return null;
  if (match === null) return `\`${at}\`: ${name} has no \`match\`, whose groups would be counted`;
  if (place.from <= match.groups) return null;
  return `\`${at}\`: the \`match\` of ${name} has ${match.groups} groups, in ( ), for a ${type}`;
}

/** W24: what acts is no question. */
function pollProblem({ at }: DriverTag, { acts, name, send }: Telegram): string | null {
  if (send === null || !acts) return null;
  return `\`${at}\`: ${name} is marked \`acts\`, so no poll may send it (W24); what is written ` +
    "through the gate is the telegram's `write`";
}

/** Characters that a number has at most. */
const number_bytes_max = 24;

function writeProblem(
  tag: DriverTag, { write, send }: TelegramSettings, telegram: Telegram,
): string | null {
  const { at, type } = tag;
  const { name } = telegram;
  if (write === undefined) {
    return `\`${at}\`: ${name} has no \`write\`, such as "VOLT {value}"; without one "access" ` +
      'must be "read"';
  }
  if (send === undefined) {
    return `\`${at}\`: ${name} has no \`send\`, so what was written could not be read back (W15)`;
  }
  const isText = type.includes("(");
  const unfit = isText ? textProblem(tag) : null;
  if (unfit !== null) return unfit;
  if (isText && telegram.write!.decimals !== null) {
    return `\`${at}\`: a text has no decimals; write {value} in \`${name}\``;
  }
  const value_bytes = isText ? textRoom(type) : number_bytes_max;
  const { before, after } = telegram.write!;
  return before.length + after.length + value_bytes <= limits.telegram_write_bytes_max ? null
    : `\`${at}\`: the \`write\` of ${name} is longer than ` +
      `${limits.telegram_write_bytes_max - value_bytes} bytes`;
}

/** The tag as the manual's own answer has it. */
function exampleProblem(tag: DriverTag, { place }: Address, telegram: Telegram): string | null {
  const { example, name, match } = telegram;
  if (example === null) return null;
  const shown = `the example of ${name}, \`${textOf(example)}\`,`;
  if (!telegram.accepts(example, 0, example.length)) {
    return `\`${tag.at}\`: ${shown} does not fit its \`match\`, \`${match!.text}\``;
  }
  const field = new Field(tag);
  const said = telegram.state();
  if (readsAsNull(said)) return null;
  if (!telegram.locate(place)) return `\`${tag.at}\`: ${shown} has no such place`;
  if (field.isText) return null;
  const found = textOf(example.slice(telegram.from, telegram.to));
  const state = field.stateOf(field.raw(telegram));
  if (state === GOOD || !readsAsNull(state)) return null;
  return `\`${tag.at}\`: in ${shown} this is \`${found}\`, which is ` +
    `${state === BAD.garbled ? "none" : stateName(state)} of type ${tag.type}`;
}

/** Each telegram that comes unasked makes one row: a group has no other tags then. */
export function groupProblem(tags: readonly DriverTag[], link: SharedLink): string | null {
  const names = [...new Set(tags.map(({ at }) => parseAddress(at).telegram))];
  const unasked = names.filter((name) => link.telegrams[name]?.send === undefined);
  if (unasked.length === 0) return null;
  if (names.length > 1) {
    return `${unasked[0]} comes unasked, and each one is a row: its tags need a group of their ` +
      `own, without those of ${names.filter((name) => name !== unasked[0]).join(", ")}`;
  }
  const isAsked = Object.values(link.telegrams).some(({ send }) => send !== undefined);
  const isOnly = Object.values(link.telegrams).filter(({ send }) => send === undefined).length < 2;
  if ((isOnly && !isAsked) || link.telegrams[unasked[0]!]!.match !== undefined) return null;
  return `${unasked[0]} comes unasked on a link with other telegrams: it needs a \`match\` by ` +
    "which it is known";
}
