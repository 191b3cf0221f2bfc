/**
 * Product, quotient and remainder of int64 values given as two words each. The result lies in
 * `words`; the functions are false if it does not fit 64 bits. Nothing is allocated: what is exact
 * in a float64 is computed there, the rest by magnitudes of two words.
 */

/** Low word, high word. */
export const words = new Int32Array(2);

const word = 4294967296, half = 2147483648;

const float64Of = (low: number, high: number): number => high * word + (low >>> 0);

function setWords(whole: number): boolean {
  words[0] = whole | 0;
  words[1] = Math.floor(whole / word) | 0;
  return true;
}

/** Magnitudes of the two operands; a division leaves its quotient in `left`. */
const left = new Uint32Array(2), right = new Uint32Array(2), rest = new Uint32Array(2);

/** Puts the magnitude of a value; true if it is negative. */
function magnitude(to: Uint32Array, low: number, high: number): boolean {
  const negative = high < 0;
  to[0] = negative ? -low : low;
  to[1] = negative ? ~high + Number(low === 0) : high;
  return negative;
}

/** Puts a magnitude with its sign; −2^63 is the only one that has no positive counterpart. */
function setSigned(low: number, high: number, negative: boolean): boolean {
  words[0] = negative ? -low : low;
  words[1] = negative ? ~high + Number(low === 0) : high;
  return high < half || (negative && high === half && low === 0);
}

export function multiply64(aLow: number, aHigh: number, bLow: number, bHigh: number): boolean {
  const product = float64Of(aLow, aHigh) * float64Of(bLow, bHigh);
  if (Math.abs(product) <= Number.MAX_SAFE_INTEGER) return setWords(product);
  const negative = magnitude(left, aLow, aHigh) !== magnitude(right, bLow, bHigh);
  const a = left[0]!, b = right[0]!;
  if (left[1] !== 0 && right[1] !== 0) return false;
  // The low words by halves of one, so that each product stays below 2^53.
  const upper = (a >>> 16) * b + Math.floor(((a & 0xffff) * b) / 65536);
  const high = Math.floor(upper / 65536) + left[1]! * b + a * right[1]!;
  return high < word && setSigned(Math.imul(a, b) >>> 0, high, negative);
}

/** The divisor is not zero. */
export function divide64(aLow: number, aHigh: number, bLow: number, bHigh: number): boolean {
  const a = float64Of(aLow, aHigh), b = float64Of(bLow, bHigh);
  if (Number.isSafeInteger(a) && Number.isSafeInteger(b)) return setWords(Math.trunc(a / b));
  const negative = magnitude(left, aLow, aHigh) !== magnitude(right, bLow, bHigh);
  divideMagnitudes();
  return setSigned(left[0]!, left[1]!, negative);
}

/** The divisor is not zero; the sign is the dividend's. */
export function remainder64(aLow: number, aHigh: number, bLow: number, bHigh: number): boolean {
  const a = float64Of(aLow, aHigh), b = float64Of(bLow, bHigh);
  if (Number.isSafeInteger(a) && Number.isSafeInteger(b)) return setWords(a % b);
  const negative = magnitude(left, aLow, aHigh);
  magnitude(right, bLow, bHigh);
  divideMagnitudes();
  return setSigned(rest[0]!, rest[1]!, negative);
}

/** `left` ÷ `right` bit by bit: as the dividend moves out of `left` the quotient moves in. */
function divideMagnitudes(): void {
  const low = right[0]!, high = right[1]!;
  let restLow = 0, restHigh = 0;
  for (let bit = 0; bit < 64; bit++) {
    restHigh = ((restHigh << 1) | (restLow >>> 31)) >>> 0;
    restLow = ((restLow << 1) | (left[1]! >>> 31)) >>> 0;
    left[1] = (left[1]! << 1) | (left[0]! >>> 31);
    left[0] = left[0]! << 1;
    if (restHigh < high || (restHigh === high && restLow < low)) continue;
    restHigh -= high + Number(restLow < low);
    restLow = (restLow - low) >>> 0;
    left[0] = left[0]! | 1;
  }
  rest[0] = restLow;
  rest[1] = restHigh;
}
