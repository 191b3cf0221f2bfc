import type { ScalarFunction } from "./record.ts";

/** Functions of floats that are one expression: name, JavaScript, meaning, example. */
const plain: readonly (readonly [string, (x: number) => number, string, string, string, string])[
  ] = [
  ["atan", Math.atan, "Math.atan($0)", "Arc tangent, radians", "atan(0)", "0.0"],
  ["cos", Math.cos, "Math.cos($0)", "Cosine of radians", "cos(0)", "1.0"],
  ["cosh", Math.cosh, "Math.cosh($0)", "Hyperbolic cosine", "cosh(0)", "1.0"],
  ["exp", Math.exp, "Math.exp($0)", "e to the power of x", "exp(0)", "1.0"],
  ["floor", Math.floor, "Math.floor($0)", "Largest whole number not above x, as float",
    "floor(-1.5)", "-2.0"],
  ["ln", Math.log, "Math.log($0)", "Natural logarithm; of 0 and below an error", "ln(1)", "0.0"],
  ["sin", Math.sin, "Math.sin($0)", "Sine of radians", "sin(0)", "0.0"],
  ["sinh", Math.sinh, "Math.sinh($0)", "Hyperbolic sine", "sinh(0)", "0.0"],
  ["sqrt", Math.sqrt, "Math.sqrt($0)", "Square root; below 0 an error", "sqrt(6.25)", "2.5"],
  ["tan", Math.tan, "Math.tan($0)", "Tangent of radians", "tan(0)", "0.0"],
  ["tanh", Math.tanh, "Math.tanh($0)", "Hyperbolic tangent", "tanh(0)", "0.0"],
  ["degrees", (x) => x * 180 / Math.PI, "($0) * 180 / Math.PI", "Radians as degrees",
    "degrees(pi())", "180.0"],
  ["radians", (x) => x * Math.PI / 180, "($0) * Math.PI / 180", "Degrees as radians", "radians(0)",
    "0.0"],
];

/** From here on a float has no halves. */
const halves_end = 2 ** 52;

/**
 * Half away from zero, to `scale` decimals (negative: to tens, hundreds …). What is half is asked
 * of the float nearest to it, so that 1.005 counts as it is written.
 */
function round(x: number, scale = 0): number {
  const amount = Math.abs(x), unit = 10 ** Math.abs(scale);
  const units = scale < 0 ? amount / unit : amount * unit;
  if (!(units < halves_end)) return x;
  const below = Math.floor(units);
  const half = scale < 0 ? (below + 0.5) * unit : (below + 0.5) / unit;
  const nearest = amount < half ? below : below + 1;
  const rounded = nearest === 0 ? 0 : scale < 0 ? nearest * unit : nearest / unit;
  return x < 0 ? -rounded : rounded;
}

/** Likewise: 1.15 has two decimals, though 1.15 * 100 is less than 115. */
function truncate(x: number, decimals: number): number {
  const amount = Math.abs(x), unit = 10 ** decimals;
  const units = amount * unit;
  if (!(units < halves_end)) return x;
  const near = Math.round(units);
  const cut = (near / unit > amount ? near - 1 : near) / unit;
  return x < 0 ? -cut : cut;
}

const word = 2n ** 64n;
const signed_max = 2n ** 63n - 1n;

/**
 * MySQL's CONV: digits up to the first foreign one; a negative base is signed, else 64 bits
 * unsigned.
 */
function convert(text: string, from: number, to: number): string | null {
  const base = Math.abs(from), target = Math.abs(to);
  if (base < 2 || base > 36 || target < 2 || target > 36) return null;
  const trimmed = text.trim().toLowerCase();
  const negative = trimmed.startsWith("-");
  let value = 0n;
  for (const digit of trimmed.replace(/^[+-]/, "")) {
    const amount = parseInt(digit, 36);
    if (Number.isNaN(amount) || amount >= base) break;
    value = value * BigInt(base) + BigInt(amount);
  }
  if (from < 0 && value > signed_max) value = signed_max;
  if (value >= word) value = word - 1n;
  if (negative) value = -value;
  if (to < 0) return BigInt.asIntN(64, value).toString(target).toUpperCase();
  return BigInt.asUintN(64, value).toString(target).toUpperCase();
}

export const math: readonly ScalarFunction[] = [
  ...plain.map(([name, body, inline, doc, example, value]): ScalarFunction => ({
    name, parameters: "d", result: "float64", doc, examples: [[example, value]], body, inline,
  })),
  {
    name: "abs", parameters: "n", result: "same", inline: "Math.abs($0)",
    doc: "Amount of x, without its sign; of an INT64 exact",
    examples: [["abs(-3)", "3"], ["abs(-1.5)", "1.5"]], body: (x: number) => Math.abs(x),
  },
  {
    name: "acos", parameters: "d", result: "float64", doc: "Arc cosine, radians; outside −1…1 NULL",
    examples: [["acos(1)", "0.0"], ["acos(2)", "NULL"]], body: Math.acos, inline: "Math.acos($0)",
      nan: "null",
  },
  {
    name: "asin", parameters: "d", result: "float64", doc: "Arc sine, radians; outside −1…1 NULL",
    examples: [["asin(0)", "0.0"], ["asin(2)", "NULL"]], body: Math.asin, inline: "Math.asin($0)",
      nan: "null",
  },
  {
    name: "atan2", parameters: "dd", result: "float64",
    takes: "y, x",
      doc: "Angle of the point (x, y), in radians from −π to π",
    examples: [["atan2(0, 1)", "0.0"]], body: Math.atan2, inline: "Math.atan2($0, $1)",
  },
  {
    name: "ceil", also: ["ceiling"], parameters: "d", result: "float64", inline: "Math.ceil($0)",
    doc: "Smallest whole number not below x, as float", examples: [["ceil(1.2)", "2.0"]],
      body: Math.ceil,
  },
  {
    name: "conv", parameters: "sii", result: "text",
    doc: "The number that a text of digits is in one base (2 to 36), as digits of another",
    takes: "digits, from, to",
    examples: [["conv('FF', 16, 10)", "'255'"], ["conv('1', 1, 2)", "NULL"]], body: convert,
      slot: () => 72,
  },
  {
    name: "cot", parameters: "d", result: "float64", doc: "Cotangent of radians; of 0 an error",
    examples: [["round(cot(0.7853981633974483), 6)", "1.0"]],
    body: (x: number) => (Math.tan(x) === 0 ? NaN : 1 / Math.tan(x)),
  },
  {
    name: "log", parameters: "d?d", result: "float64",
    takes: "[base], x",
    doc: "Logarithm of x to base 10, or to the base given; of 0 −∞ as in eKuiper, which nothing " +
      "writes to a machine; below 0 an error",
    examples: [["log(1000)", "3.0"], ["log(2, 8)", "3.0"]],
    body: (a: number, b?: number) => (b === undefined ? Math.log10(a) : logarithm(a, b)),
    infinite: true,
  },
  {
    name: "mod", parameters: "dd", result: "float64",
    takes: "x, y",
      doc: "Remainder of x / y with the sign of x, as float; by 0 an error",
    examples: [["mod(7, 4)", "3.0"], ["mod(-7.5, 2)", "-1.5"]],
      body: (a: number, b: number) => a % b, inline: "$0 % $1",
  },
  {
    name: "pi", parameters: "", result: "float64", doc: "3.141592653589793",
    examples: [["pi()", "3.141592653589793"]], body: () => Math.PI, inline: "Math.PI",
  },
  {
    name: "power", also: ["pow"], parameters: "dd", result: "float64",
    takes: "x, exponent",
      doc: "x to the power of the exponent",
    examples: [["power(2, 10)", "1024.0"]], body: (a: number, b: number) => a ** b,
      inline: "Math.pow($0, $1)",
  },
  {
    name: "round", parameters: "d?i", result: "float64",
    takes: "x, [decimals]",
    doc: "To the nearest, half away from zero, to so many decimals (none if left out)",
    examples: [["round(2.5)", "3.0"], ["round(-2.5)", "-3.0"], ["round(1.005, 2)", "1.01"],
      ["round(1234, -2)", "1200.0"]],
    body: round,
  },
  {
    name: "sign", parameters: "d", result: "int53", doc: "−1, 0 or 1", inline: "Math.sign($0)",
    examples: [["sign(-2.5)", "-1"], ["sign(0)", "0"]], body: Math.sign,
  },
  {
    name: "trunc", parameters: "du", result: "float64", doc: "Cut off after so many decimals",
    takes: "x, decimals",
    examples: [["trunc(1.29, 1)", "1.2"]], body: truncate,
  },
  {
    name: "bitand", parameters: "ii", result: "int53",
    doc: "The bits that are 1 in both numbers: bitand(status, 4) <> 0 asks for bit 2; " +
      "exact to 64 bits",
    takes: "a, b",
    examples: [["bitand(12, 10)", "8"]],
      body: (a: number, b: number) => Number(BigInt(a) & BigInt(b)),
  },
  {
    name: "bitor", parameters: "ii", result: "int53",
    doc: "The bits that are 1 in at least one of the numbers; exact to 64 bits",
    takes: "a, b",
    examples: [["bitor(12, 10)", "14"]],
      body: (a: number, b: number) => Number(BigInt(a) | BigInt(b)),
  },
  {
    name: "bitxor", parameters: "ii", result: "int53",
    doc: "The bits that are 1 in exactly one of the numbers; exact to 64 bits",
    takes: "a, b",
    examples: [["bitxor(12, 10)", "6"]],
      body: (a: number, b: number) => Number(BigInt(a) ^ BigInt(b)),
  },
  {
    name: "bitnot", parameters: "i", result: "int53", inline: "-1 - $0",
    doc: "Each bit turned: −1 − x; exact to 64 bits",
    examples: [["bitnot(1)", "-2"]], body: (a: number) => -1 - a,
  },
];

function logarithm(base: number, x: number): number {
  if (base === 1) return NaN;
  if (base === 2) return Math.log2(x);
  return base === 10 ? Math.log10(x) : Math.log(x) / Math.log(base);
}
