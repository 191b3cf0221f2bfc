import { ERROR, NULL, UNCERTAIN, UNFIT_FLAGS } from "../../ring.ts";
import { numberOf } from "../emit/code.ts";
import { argumentState } from "../stateful/signal.ts";
import { block, type Site } from "../stateful/site.ts";
import type { StatefulFunction } from "./stateful.ts";

/** Names of what one step of a controller works with. */
interface Loop {
  readonly site: Site;
  readonly args: readonly string[];
  /** setpoint − measurement, and what it gives in proportion. */
  readonly p: string;
  readonly dt: string;
}

/** The D term's filter has the time constant td / 10, as is usual. */
const derivative_gain = 10;

const clamped = (value: string, low: string, high: string): string =>
  `${value} < ${low} ? ${low} : ${value} > ${high} ? ${high} : ${value}`;

/** So that the next step begins at `y` without a bump; without an I term there is none to move. */
const bumpless = ({ site, args, p }: Loop, of: string): string =>
  `${site.place("i")} = ${args[3]} > 0 ? ${of} - ${p} - ${site.place("d")} : 0;`;

/** After a row that was not fit: from the output that there was, now uncertain for one row. */
function resume(loop: Loop): string[] {
  const { site } = loop;
  return [
    `${site.place("d")} = 0;`, bumpless(loop, site.place("y")), site.raise(`${UNCERTAIN.skipped}`),
  ];
}

/** One step of D and I; the integral goes no further than to where the output is at its limit. */
function advance({ site, args, p, dt }: Loop): string[] {
  const [x, , kp, ti, td, low, high] = args;
  const [i, d, last] = ["i", "d", "last"].map((name) => site.place(name));
  const e = `(${args[1]} - ${x})`;
  const [filter, step, open] = ["filter", "step", "open"].map((name) => site.code.name(name));
  return [
    `const ${filter} = ${td} + ${derivative_gain} * ${dt};`,
    `${d} = ${td} > 0 ? ${td} / ${filter} * ${d} - ${kp} * ${td} * ${derivative_gain} / ` +
      `${filter} * (${x} - ${last}) : 0;`,
    `const ${step} = ${ti} > 0 ? ${kp} * ${e} * ${dt} / ${ti} : 0, ${open} = ${p} + ${d};`,
    `if (${step} > 0 & ${open} + ${i} + ${step} > ${high}) ` +
      `${i} = Math.max(${i}, ${high} - ${open});`,
    `else if (${step} < 0 & ${open} + ${i} + ${step} < ${low}) ` +
      `${i} = Math.min(${i}, ${low} - ${open});`,
    `else ${i} = ${i} + ${step};`,
  ];
}

/**
 * Fields: `on` 1 while there is a state, `i` and `d` the terms, `last` the measurement, `y` the
 * output and `at` the time of the last row that was fit, `gap` 1 after one that was not.
 */
function pid(site: Site): string[] {
  const args = site.args.map(numberOf);
  const [x, sp, kp, ti, td, low, high, longest, track, auto] = args;
  const { code, s, y, time } = site;
  const [on, i, d, last, kept, at, gap] =
    ["on", "i", "d", "last", "y", "at", "gap"].map((name) => site.place(name));
  site.interrupted("gap", 1, "on");
  const a = argumentState(site, `${ti} >= 0 & ${td} >= 0 & ${low} < ${high} & ${longest} > 0`);
  const [p, dt] = [code.name("p"), code.name("dt")];
  const loop: Loop = { site, args, p, dt };
  const out = [`${y} = ${p} + ${i} + ${d};`, `${y} = ${clamped(y, low!, high!)};`];
  const follow = [`${y} = ${clamped(track!, low!, high!)};`, bumpless(loop, y)];
  const steps = [
    `const ${p} = ${kp} * (${sp} - ${x}), ${dt} = ${time} - ${at};`,
    `${s} = 0;`,
    `if (${on} === 1 && !(${dt} >= 0 & ${dt} <= ${longest})) ${on} = 0;`,
    block(`if (${on} === 0)`, [`${d} = 0; ${i} = 0;`, ...(track === undefined ? [] : follow)]),
    block("else", [site.uses(), block(`if (${gap} === 1)`, resume(loop)),
      block("else", advance(loop))]),
    ...(auto === undefined ? out
      : [block(`if (${auto} === 0)`, follow), block("else", out)]),
    `${on} = 1; ${gap} = 0; ${at} = ${time}; ${last} = ${x}; ${kept} = ${y};`,
    site.made(site.input),
    `if (${y} - ${y} !== 0) { ${s} = ${ERROR.number}; ${on} = 0; }`,
  ];
  // It stands still where something is not good, or the row is none that may be acted on.
  const fit = `${a} === 0 && (${site.input.flags} & ${UNFIT_FLAGS}) === 0`;
  return [
    block(`if (${site.when === "true" ? fit : `${site.when} && ${fit}`})`, steps),
    block("else", [`${s} = ${a} > 63 ? ${a} : ${NULL}; ${gap} = 1;`]),
  ];
}

/** Controllers: what closes a loop. */
export const controllers: readonly StatefulFunction[] = [
  {
    name: "pid", parameters: "dddddddd?db", result: "float64",
    usage: "pid(x, setpoint, kp, ti, td, low, high, gap, [track, [auto]])",
    doc: "PID controller of the measurement x: gain kp (below 0 where more output makes x fall), " +
      "times ti and td (ms; 0 = without), output from low to high without wind-up, D of the " +
      "measurement. Where an argument is not good it has no value and stands still, and goes on " +
      "from there; after more than gap (ms) it begins anew: at track, if given, the value that " +
      "the actuator has. While auto is FALSE it follows track",
    source: "Åström and Wittenmark, Computer-Controlled Systems, chapter 8: standard form, " +
      "filtered D, backward differences; the integral held at the limits",
    example: { call: "pid(x, 10, 2, 10s, 0, 0, 100, 5s)", x: ["0.0", "0.0", "5.0", "12.0"],
      gives: ["20.0", "22.0", "13.0", "0.0"] },
    emit: pid,
  },
];
