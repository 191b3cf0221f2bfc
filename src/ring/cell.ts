/**
 * The state byte of a cell:
 *
 *      0        good
 *      1..63    uncertain: a value, but by a reason not fully trusted
 *     64..191   bad: the payload is the last known value; SQL reads NULL
 *    192        NULL
 *    193        absent: a message did not have this field
 *    194..255   an error: the expression or conversion failed for this row
 *
 * Numbers are stable: they stand in checkpoints, in the audit and on the API.
 */
export const GOOD = 0;
export const UNCERTAIN_MAX = 63;
const BAD_MIN = 64;
const BAD_MAX = 191;
export const NULL = 192;
export const ABSENT = 193;
const ERROR_MIN = 194;

export const UNCERTAIN = {
  /** The source itself says so. */
  source: 1,
  /** An aggregate left out bad or NULL-by-bad inputs. */
  skipped: 2,
  /** A table's value that could not be refreshed. */
  stale: 3,
  /** A simulated or substituted value. */
  substituted: 4,
  /** A signal past its measuring range: what it measures may be further out (NE 43). */
  saturated: 5,
  /** A person put it in the place of what the device says. */
  forced: 6,
  /** The device says that it needs maintenance soon (NE 107): its value still holds. */
  maintenance: 7,
} as const;

export const BAD = {
  /** The source itself says so, without more. */
  source: 64,
  /** Nothing was read since the start. */
  initial: 65,
  /** The link is not open. */
  disconnected: 66,
  /** The device did not answer in time. */
  timeout: 67,
  /** The answer was damaged (CRC, length, wrong station or function). */
  garbled: 68,
  /** The device answered with an exception. */
  exception: 69,
  /** The device says there is no such address. */
  address: 70,
  /** Raw value outside what the tag's type or range can mean. */
  range: 71,
  /** The newest value is older than three polls. */
  old: 72,
  /** The model's result came after its deadline. */
  late: 73,
  /** The model is not loaded or failed. */
  model: 74,
  /** The station is left alone for a while after repeated failures. */
  paused: 75,
  /** A live-zero signal below what a working sensor gives: a broken wire (NE 43). */
  underrange: 76,
  /** A live-zero signal above what a working sensor gives: a short circuit (NE 43). */
  overrange: 77,
  /** A person had the device left alone. */
  disabled: 78,
  /** Nothing stands for its link in this simulation. */
  "not-simulated": 79,
  /** It is written to all stations at once and never read: nobody would answer. */
  broadcast: 80,
} as const;

export const ERROR = {
  /** A value of another type than the operation takes. */
  type: 194,
  /** Division or modulo by zero. */
  zero: 195,
  /** A whole number past ±(2^53 − 1), or an int64 past 64 bits. */
  overflow: 196,
  /** A text, bytes or json value longer than its slot. */
  length: 197,
  /** Not a number, or not finite, where a number must be. */
  number: 198,
  /** The model refused or failed on this row. */
  model: 199,
  /** An index or argument outside its range. */
  argument: 200,
  /** Text that could not be read as what it should be. */
  parse: 201,
  /** A conversion that makes no sense. */
  cast: 202,
} as const;

/** Bits of a row's flag byte. */
export const FLAG = {
  /** History read later (never in a live ring). */
  backfill: 1,
  /** Engine time was not certain when the row was made. */
  timeUncertain: 2,
  /** The row was replayed from the journal after a restart. */
  replayed: 4,
  /** It stands for a window without rows, which is told as an empty list. */
  empty: 8,
  /**
   * Nobody vouches for the row as a whole, whatever its cells say: a retained message, or a device
   * of which no tag is good.
   */
  doubtful: 16,
} as const;

/** W8: flags of rows by which nothing is written. */
export const UNFIT_FLAGS = FLAG.backfill | FLAG.replayed | FLAG.doubtful;

/** `time-uncertain` …: how the flags of a row are shown. */
export const flagNames = (flags: number): string[] => [
  ...((flags & FLAG.backfill) === 0 ? [] : ["backfill"]),
  ...((flags & FLAG.timeUncertain) === 0 ? [] : ["time-uncertain"]),
  ...((flags & FLAG.replayed) === 0 ? [] : ["replayed"]),
  ...((flags & FLAG.empty) === 0 ? [] : ["empty"]),
  ...((flags & FLAG.doubtful) === 0 ? [] : ["doubtful"]),
];

export const isUncertain = (state: number): boolean => state >= 1 && state <= UNCERTAIN_MAX;
export const isError = (state: number): boolean => state >= ERROR_MIN;
/** True if SQL sees NULL here: bad, NULL or absent (an error stays an error). */
export const readsAsNull = (state: number): boolean => state >= BAD_MIN && state < ERROR_MIN;

const names = new Map<number, string>([
  [GOOD, "good"], [NULL, "null"], [ABSENT, "absent"],
  ...Object.entries(UNCERTAIN).map(([n, s]): [number, string] => [s, `uncertain:${n}`]),
  ...Object.entries(BAD).map(([n, s]): [number, string] => [s, `bad:${n}`]),
  ...Object.entries(ERROR).map(([n, s]): [number, string] => [s, `error:${n}`]),
]);
const states = new Map([...names].map(([state, name]) => [name, state]));

/** `good`, `bad:timeout`, `error:zero` …: how a state is shown to people and in JSON. */
export function stateName(state: number): string {
  const name = names.get(state);
  if (name !== undefined) return name;
  if (state <= UNCERTAIN_MAX) return `uncertain:${state}`;
  return state <= BAD_MAX ? `bad:${state}` : `error:${state}`;
}

/** The state of a name that `stateName` gave, or null. */
export function stateOf(name: string): number | null {
  return states.get(name) ?? null;
}
