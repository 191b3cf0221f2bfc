/**
 * JSON as `JSON.parse` reads it, but whole numbers past 2^53 keep their digits: as bigint, as far
 * as 64 bits go.
 */
export function parseJson(text: string): unknown {
  return /\d{16}/.test(text) ? JSON.parse(text, exactly) : JSON.parse(text);
}

function exactly(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const digits = context!.source!;
  if (!/^-?\d+$/.test(digits)) return value;
  const whole = BigInt(digits);
  return BigInt.asIntN(64, whole) === whole ? whole : value;
}

const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** The other way: a bigint is written with all its digits. */
export const stringifyJson = (value: unknown): string => JSON.stringify(value,
  (_key, item: unknown) => (typeof item === "bigint" ? rawJSON(String(item)) : item));
