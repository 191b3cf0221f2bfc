const BLANK = 0x20, PLUS = 0x2b, MINUS = 0x2d, POINT = 0x2e, ZERO = 0x30, NINE = 0x39;
/** Up to here digits are exact in a float64. */
const exact_digits = 15;
/** Powers of ten that are exact in a float64: one rounding is left, and so the value is right. */
const powers = Float64Array.from({ length: 23 }, (_, n) => 10 ** n);

/**
 * A decimal number as machines write it, with blanks around it and after its sign: `  -  12.30`,
 * `+1.5E-03`. NaN = it is none. Allocates nothing for up to 15 digits.
 */
export function readNumber(bytes: Uint8Array, from: number, to: number): number {
  while (to > from && bytes[to - 1] === BLANK) to--;
  let at = skip(bytes, from, to);
  const isNegative = bytes[at] === MINUS;
  if (at < to && (isNegative || bytes[at] === PLUS)) at = skip(bytes, at + 1, to);
  const first = at;
  let mantissa = 0, digits = 0, scale = 0, isFraction = false;
  for (; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === POINT && !isFraction) isFraction = true;
    else if (byte >= ZERO && byte <= NINE) {
      mantissa = mantissa * 10 + (byte - ZERO);
      if (mantissa > 0) digits++;
      if (isFraction) scale++;
    } else break;
  }
  // A point alone is no number.
  if (at - first === (isFraction ? 1 : 0)) return NaN;
  const power = exponent(bytes, at, to) - scale;
  if (power !== power) return NaN;
  if (digits > exact_digits || power > 22 || power < -22) {
    const value = Number(String.fromCharCode(...bytes.subarray(first, to)));
    return isNegative ? -value : value;
  }
  const value = power < 0 ? mantissa / powers[-power]! : mantissa * powers[power]!;
  return isNegative ? -value : value;
}

/** `E+03` at the end; 0 = there is none, NaN = something else is there. */
function exponent(bytes: Uint8Array, at: number, to: number): number {
  if (at === to) return 0;
  if ((bytes[at]! | 0x20) !== 0x65) return NaN;
  at += 1;
  const isNegative = bytes[at] === MINUS;
  if (at < to && (isNegative || bytes[at] === PLUS)) at += 1;
  if (at === to || to - at > 3) return NaN;
  let value = 0;
  for (; at < to; at++) {
    if (bytes[at]! < ZERO || bytes[at]! > NINE) return NaN;
    value = value * 10 + (bytes[at]! - ZERO);
  }
  return isNegative ? -value : value;
}

function skip(bytes: Uint8Array, at: number, to: number): number {
  while (at < to && bytes[at] === BLANK) at++;
  return at;
}
