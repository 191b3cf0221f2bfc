/**
 * The types that an S7 has for a moment, all without a zone: UTC is taken.
 *
 *     DT   8 bytes  | year month day hour minute second, two decimal digits each (90 to 89) |
 *                   | ms: two digits | ms: one digit, day of the week |
 *     DTL  12 bytes | year:2 | month | day | day of the week | hour | minute | second | ns:4 |
 *     LDT  8 bytes  | ns since 1970:8, signed |
 */
export type TimeForm = "DT" | "DTL" | "LDT";

const sizes: Readonly<Record<TimeForm, number>> = { DT: 8, DTL: 12, LDT: 8 };
export const timeBytes = (form: TimeForm): number => sizes[form];

/** ms since 1970 of what stands at `bytes[at…]`; NaN = it is no moment. */
export function readTime(form: TimeForm, bytes: Uint8Array, at: number): number {
  switch (form) {
    case "DT": return readDt(bytes, at);
    case "DTL":
      return moment(bytes[at]! * 256 + bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!,
        bytes[at + 5]!, bytes[at + 6]!, bytes[at + 7]!, word(bytes, at + 8) / 1e6);
    case "LDT": return readLdt(word(bytes, at) | 0, word(bytes, at + 4));
  }
}

/** 2^32 ns are 4294 ms and 967,296 ns: so no product is rounded. */
const readLdt = (high: number, low: number): number => high * 4294 + (high * 967_296 + low) / 1e6;

function readDt(bytes: Uint8Array, at: number): number {
  const year = digits(bytes[at]!);
  const ms = digits(bytes[at + 6]!) * 10 + (bytes[at + 7]! >> 4);
  return moment(year + (year < 90 ? 2000 : 1900), digits(bytes[at + 1]!), digits(bytes[at + 2]!),
    digits(bytes[at + 3]!), digits(bytes[at + 4]!), digits(bytes[at + 5]!),
    (bytes[at + 7]! >> 4) > 9 ? NaN : ms);
}

/** Two decimal digits; NaN = a half is none. */
const digits = (byte: number): number =>
  ((byte >> 4) > 9 || (byte & 15) > 9 ? NaN : (byte >> 4) * 10 + (byte & 15));

const word = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

/** NaN where a part is past its end, as in a memory that was never set. */
function moment(
  year: number, month: number, day: number, hour: number, minute: number, second: number,
  ms: number,
): number {
  const isOne = year >= 1970 && month >= 1 && month <= 12 && day >= 1 && hour < 24 &&
    minute < 60 && second < 60 && ms < 1000;
  return isOne && day <= daysOf(year, month)
    ? Date.UTC(year, month - 1, day, hour, minute, second) + ms : NaN;
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** The bytes of a moment (ms since 1970), for the simulated PLC. */
export function timeOf(form: TimeForm, ms: number): Uint8Array {
  const out = new Uint8Array(sizes[form]);
  const view = new DataView(out.buffer);
  const date = new Date(ms);
  const parts = [date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(),
    date.getUTCMinutes(), date.getUTCSeconds()] as const;
  const year = date.getUTCFullYear();
  const weekday = date.getUTCDay() + 1;
  const [month, day, hour, minute, second] = parts;
  const milli = date.getUTCMilliseconds();
  if (form === "LDT") view.setBigInt64(0, BigInt(Math.round(ms * 1000)) * 1000n);
  else if (form === "DTL") {
    view.setUint16(0, year);
    out.set([month, day, weekday, hour, minute, second], 2);
    view.setUint32(8, milli * 1e6);
  } else {
    const two = (n: number): number => Math.floor(n / 10) * 16 + n % 10;
    out.set([year % 100, ...parts].map(two));
    out.set([two(Math.floor(milli / 10)), (milli % 10) * 16 + weekday], 6);
  }
  return out;
}
