import { remember } from "./remember.ts";
import { timeOfFields } from "./time-text.ts";
import { offsetOf, shortName, timeIn } from "./zone.ts";

export const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
export const months = ["January", "February", "March", "April", "May", "June", "July", "August",
  "September", "October", "November", "December"];

/** A time in a zone. */
interface Moment {
  /** Its UTC fields are those of the clocks in the zone. */
  readonly local: Date;
  readonly time: number;
  readonly offset: number;
  readonly zone: string;
}

type Piece = string | Field;

const two = (n: number): string => String(n).padStart(2, "0");
const hour12 = (m: Moment): number => (m.local.getUTCHours() + 11) % 12 + 1;

function year({ local }: Moment): string {
  const year = local.getUTCFullYear();
  return (year < 0 ? "-" : "") + String(Math.abs(year)).padStart(4, "0");
}

/** `+05:30`, with what is asked for between and after the hours. */
function offset(moment: Moment, colon: string, minutes: boolean): string {
  const all = Math.round(Math.abs(moment.offset) / 60000);
  const hours = (moment.offset < 0 ? "-" : "+") + two(Math.floor(all / 60));
  return minutes ? hours + colon + two(all % 60) : hours;
}

/** Of a second, cut to so many digits, with its point. */
function fraction({ time }: Moment, digits: number): string {
  const ns = Math.floor((time - Math.floor(time / 1000) * 1000) * 1e6);
  return `.${String(ns).padStart(9, "0").slice(0, digits)}`;
}

/** A time being read, field by field; what a text does not say stays as it is here. */
interface Reading {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  ms: number;
  /** Of an hour of 12; null: the hour is one of 24. */
  afternoon: boolean | null;
  /** ms ahead of UTC; null: the text does not say. */
  offset: number | null;
}

/** A field of a pattern: how it is written, and what of a text it reads. */
interface Field {
  write(moment: Moment): string;
  /** A regular expression without groups. */
  readonly form: string;
  read(text: string, into: Reading): void;
}

type Write = Field["write"];
const number = (write: Write, form: string, key: Exclude<keyof Reading, "afternoon" | "offset">,
  of: (n: number) => number = (n) => n): Field =>
  ({ write, form, read: (text, into) => { into[key] = of(Number(text)); } });
const named = (write: Write, names: readonly string[],
  read: (index: number, into: Reading) => void = () => undefined): Field =>
  ({ write, form: names.join("|"), read: (text, into) => read(names.indexOf(text), into) });
const zoned = (write: Write, form: string): Field => ({ write, form, read: (text, into) => {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)?$/.exec(text) ?? [];
  const ms = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
  into.offset = sign === "-" ? -ms : ms;
} });

const short = (names: readonly string[]): string[] => names.map((name) => name.slice(0, 3));
const setMonth = (index: number, into: Reading): void => { into.month = index + 1; };
/** Of two digits: the century that has it nearest, from 1969 on. */
const century = (n: number): number => n + (n < 69 ? 2000 : 1900);

const fields: Readonly<Record<string, Field>> = {
  G: named((m) => (m.local.getUTCFullYear() > 0 ? "AD" : "BC"), ["AD", "BC"],
    (index, into) => { if (index === 1) into.year = -into.year; }),
  YYYY: number(year, "-?\\d{4}", "year"), yyyy: number(year, "-?\\d{4}", "year"),
  YY: number((m) => year(m).slice(-2), "\\d\\d", "year", century),
  yy: number((m) => year(m).slice(-2), "\\d\\d", "year", century),
  M: number((m) => String(m.local.getUTCMonth() + 1), "\\d\\d?", "month"),
  MM: number((m) => two(m.local.getUTCMonth() + 1), "\\d\\d", "month"),
  MMM: named((m) => months[m.local.getUTCMonth()]!.slice(0, 3), short(months), setMonth),
  MMMM: named((m) => months[m.local.getUTCMonth()]!, months, setMonth),
  d: number((m) => String(m.local.getUTCDate()), "\\d\\d?", "day"),
  dd: number((m) => two(m.local.getUTCDate()), "\\d\\d", "day"),
  EEE: named((m) => days[m.local.getUTCDay()]!.slice(0, 3), short(days)),
  EEEE: named((m) => days[m.local.getUTCDay()]!, days),
  H: number((m) => String(m.local.getUTCHours()), "\\d\\d?", "hour"),
  HH: number((m) => two(m.local.getUTCHours()), "\\d\\d", "hour"),
  h: number((m) => String(hour12(m)), "\\d\\d?", "hour"),
  hh: number((m) => two(hour12(m)), "\\d\\d", "hour"),
  a: named((m) => (m.local.getUTCHours() < 12 ? "AM" : "PM"), ["AM", "PM"],
    (index, into) => { into.afternoon = index === 1; }),
  m: number((m) => String(m.local.getUTCMinutes()), "\\d\\d?", "minute"),
  mm: number((m) => two(m.local.getUTCMinutes()), "\\d\\d", "minute"),
  s: number((m) => String(m.local.getUTCSeconds()), "\\d\\d?", "second"),
  ss: number((m) => two(m.local.getUTCSeconds()), "\\d\\d", "second"),
  // Short names of other zones mean several each.
  z: zoned((m) => shortName(m.time, m.zone), "UTC|GMT"),
  Z: zoned((m) => offset(m, "", true), "[+-]\\d{4}"),
  X: zoned((m) => offset(m, "", false), "Z|[+-]\\d\\d"),
  XX: zoned((m) => offset(m, "", true), "Z|[+-]\\d{4}"),
  XXX: zoned((m) => offset(m, ":", true), "Z|[+-]\\d\\d:\\d\\d"),
};

/** `SSS` brings its point along, unless the pattern has one just before it. */
function seconds(digits: number, pointed: boolean): Field {
  return {
    write: (moment) => fraction(moment, digits).slice(pointed ? 1 : 0),
    form: `${pointed ? "" : "\\."}\\d{${digits}}`,
    read: (text, into) => { into.ms = Math.floor(Number(`0.${text.replace(".", "")}`) * 1000); },
  };
}

/** The letters of a pattern; the rest stands for itself, as does 'text' and what follows a \. */
const token = /\\([^])|'((?:[^']|'')*)'|([GyYMdEHhamsSzZX])\3*|[^]/gu;

/** null: there is no such pattern. */
const compiled = remember((pattern): readonly Piece[] | null => {
  const pieces: Piece[] = [];
  for (const [text, escaped, quoted, letter] of pattern.matchAll(token)) {
    if (escaped !== undefined) pieces.push(escaped);
    else if (quoted !== undefined) pieces.push(quoted === "" ? "'" : quoted.replaceAll("''", "'"));
    else if (letter === "S" && text.length <= 9) {
      pieces.push(seconds(text.length, /[.,]$/.test(String(pieces.at(-1)))));
    } else if (letter !== undefined) {
      const field = fields[text];
      if (field === undefined) return null;
      pieces.push(field);
    } else if (text === "\\" || text === "'") return null;
    else pieces.push(text);
  }
  return pieces;
});

/** What is wrong with a pattern, or null. */
export const patternFault = (pattern: string | number): string | null =>
  compiled(String(pattern)) === null ? "This is no pattern of a time: one is like " +
    "'yyyy-MM-dd HH:mm:ss', and text in it stands between single quotes or after a \\" : null;

/** A time written by a pattern; undefined: no such pattern, zone or date. */
export function formatTime(time: number, pattern: string, zone: string): string | undefined {
  const pieces = compiled(pattern), ahead = offsetOf(time, zone);
  if (pieces === null || ahead === undefined || Number.isNaN(ahead)) return undefined;
  const moment = { local: new Date(time + ahead), time, offset: ahead, zone };
  if (Number.isNaN(moment.local.getTime())) return undefined;
  return pieces.map((piece) => (typeof piece === "string" ? piece : piece.write(moment))).join("");
}

/** null: there is no such pattern. */
const readers = remember((pattern): { form: RegExp; fields: readonly Field[] } | null => {
  const pieces = compiled(pattern);
  if (pieces === null) return null;
  const form = pieces.map((piece) => (typeof piece === "string"
    ? piece.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&") : `(${piece.form})`)).join("");
  return { form: new RegExp(`^${form}$`),
    fields: pieces.filter((piece) => typeof piece !== "string") };
});

/** The time that a text says by a pattern; in `zone`, where it names none. NaN: it says none. */
export function readTime(text: string, pattern: string, zone: string): number {
  const reader = readers(pattern), found = reader?.form.exec(text.trim());
  if (reader === null || found === null || found === undefined) return NaN;
  const into: Reading = { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, ms: 0,
    afternoon: null, offset: null };
  reader.fields.forEach((field, i) => field.read(found[i + 1]!, into));
  if (into.afternoon !== null) {
    if (into.hour < 1 || into.hour > 12) return NaN;
    into.hour = into.hour % 12 + (into.afternoon ? 12 : 0);
  }
  const local = timeOfFields(into.year, into.month, into.day, into.hour, into.minute, into.second) +
    into.ms;
  return into.offset === null ? timeIn(local, zone) : local - into.offset;
}
