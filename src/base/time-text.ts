import { timeIn } from "./zone.ts";

const ZERO = 0x30, COLON = 0x3a, DASH = 0x2d, PLUS = 0x2b, DOT = 0x2e, BLANK = 0x20;
const T = 0x54, Z = 0x5a;
const day_ms = 86_400_000;

/** Days since 1970 of a date of the Gregorian calendar (Hinnant: years begin in March). */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const inEra = y - era * 400;
  const inYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return era * 146_097 + inEra * 365 + Math.floor(inEra / 4) - Math.floor(inEra / 100) + inYear -
    719_468;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** ms since 1970 of what clocks in UTC show; NaN: they never show that. */
export function timeOfFields(
  year: number, month: number, day: number, hour: number, minute: number, second: number,
): number {
  const shown = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month) &&
    hour <= 23 && minute <= 59 && second <= 59;
  if (!shown) return NaN;
  return daysOf(year, month, day) * day_ms + ((hour * 60 + minute) * 60 + second) * 1000;
}

/** `count` digits from `at` on as a number; NaN: there are others. */
function digits(bytes: Uint8Array, at: number, count: number, to: number): number {
  if (at + count > to) return NaN;
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

/**
 * ms since 1970 of a text as ISO 8601, in `zone` where it names none; NaN: it is no such text.
 * Nothing is allocated.
 *
 *     2026-01-31   2026-01-31T08:05   2026-01-31 08:05:09.250   2026-01-31T08:05:09+01:00   …Z
 */
export function isoTime(bytes: Uint8Array, first: number, end: number, zone: string): number {
  let from = first, to = end;
  while (from < to && bytes[from] === BLANK) from++;
  while (to > from && bytes[to - 1] === BLANK) to--;
  if (bytes[from + 4] !== DASH || bytes[from + 7] !== DASH) return NaN;
  const year = digits(bytes, from, 4, to), month = digits(bytes, from + 5, 2, to);
  const day = digits(bytes, from + 8, 2, to);
  let at = from + 10;
  if (at >= to) return timeIn(timeOfFields(year, month, day, 0, 0, 0), zone);
  if ((bytes[at] !== T && bytes[at] !== BLANK) || bytes[at + 3] !== COLON) return NaN;
  const hour = digits(bytes, at + 1, 2, to), minute = digits(bytes, at + 4, 2, to);
  at += 6;
  let second = 0, ms = 0;
  if (at < to && bytes[at] === COLON) {
    second = digits(bytes, at + 1, 2, to);
    at += 3;
    if (at < to && bytes[at] === DOT) {
      const point = at++;
      // Milliseconds are what counts; what comes after them is looked at, and left.
      for (let scale = 100; digit(bytes, at, to); at++, scale /= 10) {
        if (scale >= 1) ms += (bytes[at]! - ZERO) * scale;
      }
      if (at === point + 1 || at > point + 10) return NaN;
    }
  }
  const local = timeOfFields(year, month, day, hour, minute, second) + ms;
  while (at < to && bytes[at] === BLANK) at++;
  return at === to ? timeIn(local, zone) : local - offset(bytes, at, to);
}

const digit = (bytes: Uint8Array, at: number, to: number): boolean =>
  at < to && bytes[at]! >= ZERO && bytes[at]! <= ZERO + 9;

/** ms of `Z`, `+01:00`, `-0130`; NaN: another text. */
function offset(bytes: Uint8Array, at: number, to: number): number {
  if (bytes[at] === Z) return at + 1 === to ? 0 : NaN;
  if (bytes[at] !== PLUS && bytes[at] !== DASH) return NaN;
  const minutesAt = bytes[at + 3] === COLON ? at + 4 : at + 3;
  if (minutesAt + 2 !== to) return NaN;
  const hours = digits(bytes, at + 1, 2, to), minutes = digits(bytes, minutesAt, 2, to);
  const ms = hours <= 23 && minutes <= 59 ? (hours * 60 + minutes) * 60_000 : NaN;
  return bytes[at] === DASH ? -ms : ms;
}
