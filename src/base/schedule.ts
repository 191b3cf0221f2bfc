/** When a rule runs, as the configuration has it; times of day are the machine's own zone. */
export interface Schedule {
  /** Five fields: minute, hour, day of month, month, day of week. Null = from start on. */
  readonly cron: string | null;
  /** ms that it runs from each of these moments. */
  readonly duration: number | null;
  /** ms since the epoch; empty = always. */
  readonly between: readonly { readonly from: number; readonly to: number }[];
}

const fields = [
  { name: "minute", least: 0, most: 59, words: [] },
  { name: "hour", least: 0, most: 23, words: [] },
  { name: "day of month", least: 1, most: 31, words: [] },
  { name: "month", least: 1, most: 12, words:
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"] },
  { name: "day of week", least: 0, most: 7, words:
    ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] },
] as const;

interface Cron {
  readonly minute: ReadonlySet<number>;
  readonly hour: ReadonlySet<number>;
  readonly day: ReadonlySet<number>;
  readonly month: ReadonlySet<number>;
  readonly weekday: ReadonlySet<number>;
  /** If both days are given, one of them is enough (crontab(5)). */
  readonly eitherDay: boolean;
}

/** What is wrong with the text, one sentence; null = it is sound. */
export function cronProblem(text: string): string | null {
  const parsed = parseCron(text);
  return typeof parsed === "string" ? parsed : null;
}

function parseCron(text: string): Cron | string {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== fields.length) {
    return `cron has five fields (${fields.map(({ name }) => name).join(", ")}), not ${
      parts.length}: "0 6 * * MON-FRI" is six o'clock on workdays`;
  }
  const sets: Set<number>[] = [];
  for (const [i, field] of fields.entries()) {
    const set = parseField(parts[i]!, field);
    if (set === null) {
      return `"${parts[i]}" is no ${field.name}: ${field.least} to ${field.most}, lists 1,2, ` +
        "ranges 1-5, steps */5";
    }
    sets.push(set);
  }
  const [minute, hour, day, month, weekday] = sets as
    [Set<number>, Set<number>, Set<number>, Set<number>, Set<number>];
  if (weekday.delete(7)) weekday.add(0);
  const eitherDay = !parts[2]!.startsWith("*") && !parts[4]!.startsWith("*");
  return { minute, hour, day, month, weekday, eitherDay };
}

function parseField(text: string, field: (typeof fields)[number]): Set<number> | null {
  const { least, most, words } = field;
  const numberOf = (word: string): number => {
    const at = (words as readonly string[]).indexOf(word.toUpperCase());
    if (at >= 0) return at + (field.name === "month" ? 1 : 0);
    return /^\d+$/.test(word) ? Number(word) : NaN;
  };
  const found = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part);
    if (match === null) return null;
    const [, star, first, last, step] = match;
    const from = star === undefined ? numberOf(first!) : least;
    const to = star !== undefined ? Math.min(most, field.name === "day of week" ? 6 : most)
      : last !== undefined ? numberOf(last) : step !== undefined ? most : from;
    const by = step === undefined ? 1 : Number(step);
    if (!(from >= least && to <= most && from <= to && by >= 1)) return null;
    for (let n = from; n <= to; n += by) found.add(n);
  }
  return found;
}

const minute_ms = 60_000;
const day_ms = 86_400_000;
/** No date is further apart than the 29th of February over a century's turn. */
const days_max = 8 * 366 + 1;

/** Whether a rule runs at `time`, and the time at which that may change next (Infinity = never). */
export function scheduleAt(
  schedule: Schedule, time: number,
): { readonly open: boolean; readonly until: number } {
  const dates = datesAt(schedule, time);
  if (!dates.open || schedule.cron === null) return dates;
  const cron = parseCron(schedule.cron) as Cron;
  const duration = schedule.duration!;
  const begins = nextStart(cron, time + 1);
  // What began last may still run; the next may begin before it ends.
  const began = lastStart(cron, time, duration);
  if (began === null) return { open: false, until: Math.min(begins, dates.until) };
  return { open: true, until: Math.min(began + duration, dates.until) };
}

function datesAt({ between }: Schedule, time: number): { open: boolean; until: number } {
  if (between.length === 0) return { open: true, until: Infinity };
  const open = between.some(({ from, to }) => from <= time && time < to);
  const edges = between.flatMap(({ from, to }) => [from, to]).filter((edge) => edge > time);
  return { open, until: Math.min(Infinity, ...edges) };
}

function isDay({ day, month, weekday, eitherDay }: Cron, date: Date): boolean {
  if (!month.has(date.getMonth() + 1)) return false;
  const [ofMonth, ofWeek] = [day.has(date.getDate()), weekday.has(date.getDay())];
  return eitherDay ? ofMonth || ofWeek : ofMonth && ofWeek;
}

const isStart = (cron: Cron, date: Date): boolean =>
  cron.minute.has(date.getMinutes()) && cron.hour.has(date.getHours()) && isDay(cron, date);

/** The first start at or after `time`; Infinity = there is none (the 30th of February). */
function nextStart(cron: Cron, time: number): number {
  let at = Math.ceil(time / minute_ms) * minute_ms;
  for (const end = at + days_max * day_ms; at < end;) {
    const date = new Date(at);
    if (isStart(cron, date)) return at;
    // Over a whole day or hour only where every zone's clock shows the same on the way.
    const midnight = new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime();
    if (!isDay(cron, date) && midnight > at) at = midnight;
    else if (!cron.hour.has(date.getHours())) at += (60 - date.getMinutes()) * minute_ms;
    else at += minute_ms;
  }
  return Infinity;
}

/** The last start at or before `time` of which `duration` has not passed; null = none. */
function lastStart(cron: Cron, time: number, duration: number): number | null {
  const first = nextStart(cron, time - duration + 1);
  if (first > time) return null;
  let last = first;
  for (let next = first; next <= time; next = nextStart(cron, next + 1)) last = next;
  return last;
}
