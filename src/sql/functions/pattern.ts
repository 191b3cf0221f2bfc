import { remember } from "./remember.ts";
import { offsetOf, shortName } from "./zone.ts";

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

type Piece = string | ((moment: Moment) => string);

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

const fields: Readonly<Record<string, (moment: Moment) => string>> = {
  G: (m) => (m.local.getUTCFullYear() > 0 ? "AD" : "BC"),
  YYYY: year, yyyy: year,
  YY: (m) => year(m).slice(-2), yy: (m) => year(m).slice(-2),
  M: (m) => String(m.local.getUTCMonth() + 1), MM: (m) => two(m.local.getUTCMonth() + 1),
  MMM: (m) => months[m.local.getUTCMonth()]!.slice(0, 3),
  MMMM: (m) => months[m.local.getUTCMonth()]!,
  d: (m) => String(m.local.getUTCDate()), dd: (m) => two(m.local.getUTCDate()),
  EEE: (m) => days[m.local.getUTCDay()]!.slice(0, 3), EEEE: (m) => days[m.local.getUTCDay()]!,
  H: (m) => String(m.local.getUTCHours()), HH: (m) => two(m.local.getUTCHours()),
  h: (m) => String(hour12(m)), hh: (m) => two(hour12(m)),
  a: (m) => (m.local.getUTCHours() < 12 ? "AM" : "PM"),
  m: (m) => String(m.local.getUTCMinutes()), mm: (m) => two(m.local.getUTCMinutes()),
  s: (m) => String(m.local.getUTCSeconds()), ss: (m) => two(m.local.getUTCSeconds()),
  z: (m) => shortName(m.time, m.zone), Z: (m) => offset(m, "", true),
  X: (m) => offset(m, "", false), XX: (m) => offset(m, "", true), XXX: (m) => offset(m, ":", true),
};

/** `SSS` brings its point along, unless the pattern has one just before it. */
function seconds(digits: number, pointed: boolean): Piece {
  return (moment) => fraction(moment, digits).slice(pointed ? 1 : 0);
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
  return pieces.map((piece) => (typeof piece === "string" ? piece : piece(moment))).join("");
}
