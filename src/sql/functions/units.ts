import { nearest } from "../../base.ts";
import type { ArgumentType, Line, ScalarFunction } from "./record.ts";

/**
 * Units by quantity: what one is worth in a common unit of its quantity, exact by definition where
 * there is one, so that what is exact on paper stays so.
 */
export const quantities: readonly Readonly<Record<string, number>>[] = [
  // Of a ninth of a kelvin; where their scales begin stands in `zeros`.
  { degC: 9, "°C": 9, K: 9, degF: 5, "°F": 5 },
  {
    Pa: 1, hPa: 100, kPa: 1000, MPa: 1e6, mbar: 100, bar: 1e5, atm: 101_325, psi: 6894.757293168361,
    mmHg: 133.322387415, inHg: 3386.388640341, mmH2O: 9.80665,
  },
  // Of a micrometre.
  {
    um: 1, mm: 1e3, cm: 1e4, m: 1e6, km: 1e9, in: 25_400, ft: 304_800, yd: 914_400,
    mi: 1_609_344_000,
  },
  // Of a square millimetre.
  { mm2: 1, cm2: 100, m2: 1e6, ha: 1e10, in2: 645.16, ft2: 92_903.04 },
  // Of a cubic centimetre.
  {
    ml: 1, cm3: 1, l: 1e3, m3: 1e6, gal: 3785.411784, ft3: 28_316.846592, bbl: 158_987.294928,
  },
  // Of a milligram.
  { mg: 1, g: 1e3, kg: 1e6, t: 1e9, oz: 28_349.523125, lb: 453_592.37 },
  // Of a litre in an hour.
  { "l/h": 1, "l/min": 60, "l/s": 3600, "m3/h": 1e3, "m3/min": 6e4, "m3/s": 3.6e6,
    "gal/min": 227.12470704 },
  // Of a kilogram in an hour.
  { "kg/h": 1, "kg/min": 60, "kg/s": 3600, "t/h": 1e3, "lb/h": 0.45359237 },
  // Of a metre in an hour.
  { "m/h": 1, "m/min": 60, "m/s": 3600, "km/h": 1e3, "ft/min": 18.288, mph: 1609.344, kn: 1852 },
  { "rad/s": 30 / Math.PI, rpm: 1, rps: 60 },
  { rad: 180 / Math.PI, deg: 1, turn: 360 },
  { N: 1, kN: 1e3, kgf: 9.80665, lbf: 4.4482216152605 },
  { Nm: 1, kNm: 1e3, lbfft: 1.3558179483314004 },
  { J: 1, kJ: 1e3, MJ: 1e6, GJ: 1e9, Wh: 3600, kWh: 3.6e6, MWh: 3.6e9, cal: 4.184, kcal: 4184,
    BTU: 1055.05585262 },
  { W: 1, kW: 1e3, MW: 1e6, PS: 735.49875, hp: 745.6998715822702 },
  // Of a microsecond.
  { us: 1, ms: 1e3, s: 1e6, min: 6e7, h: 3.6e9, d: 8.64e10 },
  { mHz: 1, Hz: 1e3, kHz: 1e6, MHz: 1e9 },
  { mV: 1, V: 1e3, kV: 1e6 },
  { uA: 1, mA: 1e3, A: 1e6, kA: 1e9 },
];

/** What the scales that do not begin at 0 °C show there. */
const zeros: Readonly<Record<string, number>> = { K: 273.15, degF: 32, "°F": 32 };

function between(from: string, to: string): Line | undefined {
  const quantity = quantities.find((units) => Object.hasOwn(units, from));
  if (quantity === undefined || !Object.hasOwn(quantity, to)) return undefined;
  return {
    minus: zeros[from] ?? 0, times: quantity[from]!, over: quantity[to]!, plus: zeros[to] ?? 0,
  };
}

const unitFault = (name: string | number): string | null => {
  if (quantities.some((units) => Object.hasOwn(units, name))) return null;
  const close = nearest(String(name), quantities.flatMap((units) => Object.keys(units)));
  return "There is no such unit: some are degC, bar, kPa, m3/h, l/min, kWh, kW, rpm, mm, kg" +
    (close === null ? "" : `; did you mean ${close}?`);
};

/** Of two constants. */
function line([, from, to]: readonly ArgumentType[]): Line | string | null {
  const [a, b] = [from!.constant, to!.constant];
  if (typeof a !== "string" || typeof b !== "string") return null;
  return between(a, b) ?? `A value in ${a} cannot be one in ${b}`;
}

export const units: readonly ScalarFunction[] = [
  {
    name: "convert_unit", parameters: "dss", result: "float64", refuses: true,
    takes: "x, 'unit', 'unit wanted'",
    doc: "A value of one unit in another of the same quantity",
    examples: [["convert_unit(25, 'degC', 'degF')", "77.0"],
      ["convert_unit(2.5, 'bar', 'kPa')", "250.0"]],
    constants: { 1: unitFault, 2: unitFault }, line,
    body: (x: number, from: string, to: string) => {
      const found = between(from, to);
      return found && (x - found.minus) * found.times / found.over + found.plus;
    },
  },
];
