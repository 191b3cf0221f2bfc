import { days, formatTime, months, offsetOf, patternFault, zoneFault } from "../../base.ts";
import type { ScalarFunction } from "./record.ts";

const day_ms = 86_400_000;
const date = "yyyy-MM-dd", clock = "HH:mm:ss", dated = `${date} ${clock}`;

/** One Date for all: its UTC fields are those of the clocks in a zone. */
const moment = new Date(0);

/** Sets `moment`; false: no such zone. A time that is no date makes all its fields NaN. */
function set(time: number, zone: string | undefined): boolean {
  const ahead = zone === undefined ? 0 : offsetOf(time, zone);
  if (ahead === undefined) return false;
  moment.setTime(Math.floor(time) + ahead);
  return true;
}

function dayOfYear(): number {
  const today = Math.floor(moment.getTime() / day_ms);
  moment.setUTCMonth(0, 1);
  return today - Math.floor(moment.getTime() / day_ms) + 1;
}

/** A function of one field of a time. */
const part = (
  name: string, result: "int53" | "text", doc: string, example: readonly [string, string],
  read: () => number | string | undefined, also?: readonly string[],
): ScalarFunction => ({
  name, parameters: "t?s", result, refuses: true, doc, examples: [example], zoned: true,
  slot: () => 16, constants: { 1: zoneFault }, ...(also === undefined ? {} : { also }),
  body: (time: number, zone?: string) => (set(time, zone) ? read() : undefined),
});

const parts: readonly ScalarFunction[] = [
  part("year", "int53", "Year of a time", ["year('2026-01-31T08:05:09Z')", "2026"],
    () => moment.getUTCFullYear()),
  part("month", "int53", "Month of a time, 1 to 12", ["month('2026-01-31T08:05:09Z')", "1"],
    () => moment.getUTCMonth() + 1),
  part("month_name", "text", "English name of the month",
    ["month_name('2026-01-31T08:05:09Z')", "'January'"], () => months[moment.getUTCMonth()]),
  part("day_of_month", "int53", "Day of the month, 1 to 31",
    ["day_of_month('2026-01-31T08:05:09Z')", "31"], () => moment.getUTCDate(), ["day"]),
  part("day_of_week", "int53", "Day of the week: Sunday is 0, Saturday 6",
    ["day_of_week('2026-01-31T08:05:09Z')", "6"], () => moment.getUTCDay()),
  part("day_name", "text", "English name of the day of the week",
    ["day_name('2026-01-31T08:05:09Z')", "'Saturday'"], () => days[moment.getUTCDay()]),
  part("day_of_year", "int53", "Day of the year, 1 to 366",
    ["day_of_year('2026-02-01T08:05:09Z')", "32"], dayOfYear),
  part("hour", "int53", "Hour of a time, 0 to 23", ["hour('2026-01-31T08:05:09Z')", "8"],
    () => moment.getUTCHours()),
  part("minute", "int53", "Minute of a time", ["minute('2026-01-31T08:05:09Z')", "5"],
    () => moment.getUTCMinutes()),
  part("second", "int53", "Second of a time", ["second('2026-01-31T08:05:09Z')", "9"],
    () => moment.getUTCSeconds()),
];

/** The last day of the month that `moment` lies in, as a date. */
function lastDay(time: number, zone?: string): string | undefined {
  if (!set(time, zone)) return undefined;
  moment.setUTCMonth(moment.getUTCMonth() + 1, 0);
  return formatTime(moment.getTime(), date, "UTC");
}

const duration = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const units: Readonly<Record<string, number>> = {
  ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000,
};

/** Milliseconds of `1h30m`; NaN: that is no duration. */
function milliseconds(text: string): number {
  const [, sign, terms] = duration.exec(text) ?? [];
  if (terms === undefined) return NaN;
  let sum = 0;
  for (const [, amount, unit] of terms.matchAll(/([\d.]+)([^\d.]+)/g)) {
    sum += Number(amount) * units[unit!]!;
  }
  return sign === "-" ? -sum : sum;
}

const durationFault = (text: string | number): string | null =>
  Number.isNaN(milliseconds(String(text)))
    ? "This is no duration: one is like '1h30m' or '-500ms', of h, m, s, ms, us and ns" : null;

function calculated(time: number, by: string, zone = "UTC"): string | undefined {
  return formatTime(time + milliseconds(by), dated, zone);
}

const digits_max = 6;
const precisionFault = (digits: string | number): string | null =>
  Number(digits) > digits_max ? `Decimals of a second are 0 to ${digits_max}` : null;

function now(time: number, pattern: string, digits = 0): string | undefined {
  if (digits < 0 || digits > digits_max) return undefined;
  return formatTime(time, pattern + "S".repeat(digits), "UTC");
}

/** Engine time as each name of eKuiper gives it. */
const clocks: readonly ScalarFunction[] = [
  {
    name: "now", also: ["current_timestamp", "local_time", "local_timestamp"], parameters: "?u",
    result: "text", refuses: true, clock: "now", slot: () => 32, constants: { 0: precisionFault },
    doc: "Engine time as text, in UTC, with so many decimals of a second (0 to 6)",
    examples: [["now()", "'2026-01-31 08:05:09'"], ["now(3)", "'2026-01-31 08:05:09.250'"]],
    body: (time: number, digits?: number) => now(time, dated, digits),
  },
  {
    name: "cur_date", also: ["current_date"], parameters: "",
    result: "text", refuses: true, clock: "now",
    doc: "Date of engine time, in UTC", examples: [["cur_date()", "'2026-01-31'"]],
    slot: () => 16, body: (time: number) => now(time, date),
  },
  {
    name: "cur_time", also: ["current_time"], parameters: "?u",
    result: "text", refuses: true, clock: "now",
    slot: () => 16, constants: { 0: precisionFault },
    doc: "Time of day of engine time, in UTC, with so many decimals of a second (0 to 6)",
    examples: [["cur_time()", "'08:05:09'"], ["cur_time(1)", "'08:05:09.2'"]],
    body: (time: number, digits?: number) => now(time, clock, digits),
  },
  {
    name: "tstamp", parameters: "", result: "int53", clock: "now",
    doc: "Engine time in milliseconds since 1970", examples: [["tstamp()", "1769846709250"]],
    body: (time: number) => Math.floor(time),
  },
  {
    name: "rule_start", parameters: "", result: "int53", clock: "began",
    doc: "Engine time at which the rule began, in milliseconds since 1970: with the gateway, by " +
      "a change, or by a reset",
    examples: [["rule_start() <= event_time()", "TRUE"]], body: (time: number) => Math.floor(time),
  },
  {
    name: "event_time", parameters: "", result: "int53", clock: "row",
    doc: "Time of the row, or of the end of its window, in milliseconds since 1970",
    examples: [["event_time()", "1769846709250"]], body: (time: number) => Math.floor(time),
  },
];

export const datetime: readonly ScalarFunction[] = [
  ...clocks,
  ...parts,
  {
    name: "microsecond", parameters: "t", result: "int53",
    doc: "Microseconds since the second began",
    examples: [["microsecond('2026-01-31T08:05:09.250Z')", "250000"]],
    body: (time: number) => Math.floor((time - Math.floor(time / 1000) * 1000) * 1000),
  },
  {
    name: "last_day", parameters: "t?s", result: "text", refuses: true, zoned: true, slot: () => 16,
    doc: "Date of the last day of the month", constants: { 1: zoneFault },
    examples: [["last_day('2026-02-01T00:00:00Z')", "'2026-02-28'"]], body: lastDay,
  },
  {
    name: "format_time", parameters: "ts?s", result: "text", refuses: true, zoned: true,
    takes: "time, pattern, [zone]",
    doc: "A time by a pattern", constants: { 1: patternFault, 2: zoneFault },
    examples: [
      ["format_time('2026-01-31T08:05:09Z', 'dd.MM.yyyy HH:mm')", "'31.01.2026 08:05'"],
      ["format_time('2026-01-31T08:05:09Z', 'EEE h a z', 'Europe/Berlin')", "'Sat 9 AM GMT+1'"],
    ],
    // A name of a month or zone is longer than its letters, blanks between them are not.
    slot: ([, pattern]) => 5 * pattern!.slot,
    body: (time: number, pattern: string, zone = "UTC") => formatTime(time, pattern, zone),
  },
  {
    name: "convert_tz", parameters: "ts",
    result: "time", refuses: true, constants: { 1: zoneFault },
    takes: "time, zone",
    doc: "The same time; a date function directly around it works in this zone instead of UTC",
    examples: [["hour(convert_tz('2026-01-31T08:05:09Z', 'Asia/Shanghai'))", "16"],
      ["to_seconds(convert_tz('2026-01-31T08:05:09Z', 'Asia/Shanghai'))", "1769846709"]],
    body: (time: number, zone: string) => (offsetOf(time, zone) === undefined ? undefined : time),
  },
  {
    name: "to_seconds", parameters: "t", result: "int53", doc: "Whole seconds since 1970",
    examples: [["to_seconds('2026-01-31T08:05:09Z')", "1769846709"]],
    body: (time: number) => Math.floor(time / 1000),
  },
  {
    name: "from_unix_time", parameters: "i?s",
    result: "text", refuses: true, constants: { 1: zoneFault },
    takes: "seconds, [zone]",
    doc: "Date and time of a number of seconds since 1970", slot: () => 32,
    examples: [["from_unix_time(1769846709)", "'2026-01-31 08:05:09'"]],
    body: (seconds: number, zone = "UTC") => formatTime(seconds * 1000, dated, zone),
  },
  {
    name: "from_days", parameters: "i", result: "text", refuses: true,
    takes: "days",
    doc: "Date of a day, where 1 is 1970-01-01", slot: () => 16,
    examples: [["from_days(100)", "'1970-04-10'"]],
    body: (day: number) => formatTime((day - 1) * day_ms, date, "UTC"),
  },
  {
    name: "date_calc", parameters: "ts?s",
    result: "text", refuses: true, zoned: true, slot: () => 32,
    takes: "time, duration, [zone]",
    doc: "Date and time so much later, or with `-` earlier: of h, m, s, ms, us and ns",
    constants: { 1: durationFault, 2: zoneFault },
    examples: [["date_calc('2026-01-31T08:05:09Z', '1h30m')", "'2026-01-31 09:35:09'"],
      ["date_calc('2026-01-31T08:05:09Z', '-24h')", "'2026-01-30 08:05:09'"]],
    body: calculated,
  },
];
