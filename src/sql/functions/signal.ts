import { numberOf } from "../emit/code.ts";
import { signal } from "../stateful/signal.ts";
import { KeptCell, type Site } from "../stateful/site.ts";
import type { StatefulFunction } from "./stateful.ts";

/** Seconds since the last row that had a value. */
const passed = (site: Site): string => `(${site.time} - ${site.place("at")}) / 1000`;

function edge(site: Site, to: 0 | 1): string[] {
  const x = numberOf(site.args[0]!);
  const last = site.place("last");
  return signal(site, {
    first: [`${last} = ${x};`],
    next: [`${site.y} = ${x} === ${to} && ${last} !== ${to} ? 1 : 0; ${last} = ${x};`],
    renewed: "true", pulse: true,
  });
}

function deadband(site: Site): string[] {
  const [x, band] = site.args.map(numberOf);
  const moved = site.code.name("moved");
  return signal(site, {
    valid: `${band} >= 0`,
    first: [`${site.y} = ${x};`],
    next: [`const ${moved} = Math.abs(${x} - ${site.y}) > ${band};`,
      `if (${moved}) ${site.y} = ${x};`],
    renewed: moved,
  });
}

function hysteresis(site: Site): string[] {
  const [x, low, high] = site.args.map(numberOf);
  const set = `${site.y} = ${x} > ${high} ? 1 : ${x} < ${low} ? 0 : ${site.y};`;
  return signal(site, {
    valid: `${low} <= ${high}`, first: [set], assumed: `${x} >= ${low} && ${x} <= ${high}`,
    next: [set], renewed: `${x} > ${high} || ${x} < ${low}`,
  });
}

/** `since`: time from which the input has been `last` without a break. */
function debounce(site: Site): string[] {
  const [b, delay] = site.args.map(numberOf);
  const [last, since] = [site.place("last"), site.place("since")];
  const [steady, was] = [site.code.name("steady"), site.code.name("was")];
  return signal(site, {
    valid: `${delay} >= 0`,
    first: [`${site.y} = ${b}; ${last} = ${b}; ${since} = ${site.time};`],
    assumed: `${delay} > 0`,
    next: [
      `if (${b} !== ${last} || ${site.place("gap")} === 1) ${since} = ${site.time};`,
      `${last} = ${b};`,
      `const ${steady} = ${site.time} - ${since} >= ${delay}, ${was} = ${site.y};`,
      `if (${steady}) ${site.y} = ${b};`,
    ],
    renewed: `${steady} && ${b} === ${was}`,
  });
}

function rateLimit(site: Site): string[] {
  const [x, up, down = up] = site.args.map(numberOf);
  const { y } = site;
  const [rise, fall] = [site.code.name("rise"), site.code.name("fall")];
  return signal(site, {
    valid: `${up} >= 0 & ${down} >= 0`,
    first: [`${y} = ${x};`],
    next: [
      `const ${rise} = ${y} + ${up} * (${passed(site)});`,
      `const ${fall} = ${y} - ${down} * (${passed(site)});`,
      `${y} = ${x} > ${rise} ? ${rise} : ${x} < ${fall} ? ${fall} : ${x};`,
    ],
    renewed: `${y} === ${x}`,
  });
}

function ewma(site: Site): string[] {
  const [x, tau] = site.args.map(numberOf);
  const { y, time } = site;
  return signal(site, {
    valid: `${tau} > 0`,
    first: [`${y} = ${x};`],
    next: [`${y} = ${y} + (1 - Math.exp((${site.place("at")} - ${time}) / ${tau})) * ` +
      `(${x} - ${y});`],
    renewed: "false", bridges: true,
  });
}

function derivative(site: Site): string[] {
  const x = numberOf(site.args[0]!);
  const last = site.place("last");
  const dt = site.code.name("dt");
  return signal(site, {
    first: [`${last} = ${x};`],
    next: [
      `const ${dt} = ${passed(site)};`,
      `${site.y} = ${dt} > 0 ? (${x} - ${last}) / ${dt} : 0; ${last} = ${x};`,
    ],
    none: `${dt} <= 0`, renewed: "true",
  });
}

function totalize(site: Site): string[] {
  const [x, unit, most] = site.args.map(numberOf);
  const { y, s, time } = site;
  const [last, at, gap] = [site.place("last"), site.place("at"), site.place("gap")];
  const dt = site.code.name("dt");
  return signal(site, {
    ...(unit === undefined ? {}
      : { valid: most === undefined ? `${unit} > 0` : `${unit} > 0 & ${most} >= 0` }),
    first: [`${last} = ${x};`],
    next: [
      `const ${dt} = ${time} - ${at};`,
      `if (${gap} === 0${most === undefined ? "" : ` && ${dt} <= ${most}`}) ` +
        `${y} = ${y} + (${last} + ${x}) / 2 * (${dt} / ${unit ?? "1000"});`,
      `else if (${s} < 2) ${s} = 2;`,
      `${last} = ${x};`,
    ],
    renewed: "false",
  });
}

function timeInState(site: Site): string[] {
  const value = site.args[0]!;
  const cell = new KeptCell(site, "last", { kind: value.kind, slot: value.slot ?? 0 });
  const since = site.place("since");
  const changed = site.code.name("changed");
  const start = `${since} = ${site.time}; ${cell.keep(value)}`;
  return signal(site, {
    first: [start],
    next: [
      `const ${changed} = !(${cell.same(value)});`,
      `if (${changed}) { ${start} }`,
      `${site.y} = (${site.time} - ${since}) / 1000;`,
    ],
    renewed: changed,
  });
}

/** `high` and `low`: what has come together above and below; at 0 the past is forgotten. */
function cusum(site: Site): string[] {
  const [x, target, slack] = site.args.map(numberOf);
  const [high, low] = [site.place("high"), site.place("low")];
  const step = [
    `${high} = Math.max(0, ${high} + (${x} - ${target} - ${slack}));`,
    `${low} = Math.max(0, ${low} + (${target} - ${x} - ${slack}));`,
    `${site.y} = ${high} >= ${low} ? ${high} : -${low};`,
  ];
  return signal(site, {
    valid: `${slack} >= 0`,
    first: [`${high} = 0; ${low} = 0;`, ...step],
    next: step, renewed: `${high} === 0 && ${low} === 0`,
  });
}

/** The control engineer's functions: each works row by row at the row's own time. */
export const signals: readonly StatefulFunction[] = [
  {
    name: "rising", parameters: "b", result: "bool", usage: "rising(b)",
    doc: "TRUE on the row where b turns TRUE; the first row is no edge",
    source: "IEC 61131-3 R_TRIG",
    example: { call: "rising(x)", x: ["TRUE", "FALSE", "TRUE", "TRUE"],
      gives: ["FALSE", "FALSE", "TRUE", "FALSE"] },
    emit: (site) => edge(site, 1),
  },
  {
    name: "falling", parameters: "b", result: "bool", usage: "falling(b)",
    doc: "TRUE on the row where b turns FALSE; the first row is no edge",
    source: "IEC 61131-3 F_TRIG",
    example: { call: "falling(x)", x: ["TRUE", "FALSE", "FALSE"],
      gives: ["FALSE", "TRUE", "FALSE"] },
    emit: (site) => edge(site, 0),
  },
  {
    name: "deadband", parameters: "dd", result: "float64", usage: "deadband(x, band)",
    doc: "x, held until x has moved from the held value by more than band (unit of x)",
    source: "OPC UA part 4, absolute deadband",
    example: { call: "deadband(x, 1)", x: ["5.0", "5.5", "6.5", "6.0"],
      gives: ["5.0", "5.0", "6.5", "6.5"] },
    emit: deadband,
  },
  {
    name: "hysteresis", parameters: "ddd", result: "bool", usage: "hysteresis(x, low, high)",
    doc: "TRUE above high, FALSE below low (unit of x), between them as before; at the start " +
      "FALSE, uncertain",
    source: "IEC 61131-3 HYSTERESIS, its limits written out",
    example: { call: "hysteresis(x, 2, 4)", x: ["5.0", "3.0", "1.0", "3.0"],
      gives: ["TRUE", "TRUE", "FALSE", "FALSE"] },
    emit: hysteresis,
  },
  {
    name: "debounce", parameters: "bd", result: "bool", usage: "debounce(b, 500ms)",
    doc: "b, once it has been the same for so long (ms) without a bad row; until the first time " +
      "uncertain",
    source: "IEC 61131-3 TON and TOF",
    example: { call: "debounce(x, 1s)", x: ["FALSE", "TRUE", "FALSE", "TRUE", "TRUE"],
      gives: ["FALSE", "FALSE", "FALSE", "FALSE", "TRUE"] },
    emit: debounce,
  },
  {
    name: "rate_limit", also: ["ramp"], parameters: "dd?d", result: "float64",
    usage: "rate_limit(x, up, [down])",
    doc: "Follows x by at most `up` a second upwards and `down` (else `up`) downwards (unit of x " +
      "per s); begins at x",
    source: "y += min(max(x − y, −down × dt), up × dt)",
    example: { call: "rate_limit(x, 2)", x: ["0.0", "5.0", "5.0", "5.0"],
      gives: ["0.0", "2.0", "4.0", "5.0"] },
    emit: rateLimit,
  },
  {
    name: "ewma", parameters: "dd", result: "float64", usage: "ewma(x, 10s)",
    doc: "First-order lag of time constant tau (ms), exact for any spacing of rows; begins at x",
    source: "y += (1 − exp(−dt / tau)) × (x − y)",
    example: { call: "round(ewma(x, 1s), 3)", x: ["0.0", "1.0", "1.0"],
      gives: ["0.0", "0.632", "0.865"] },
    unsafe: "endless", emit: ewma,
  },
  {
    name: "derivative", parameters: "d", result: "float64", usage: "derivative(x)",
    doc: "Change of x since the row before, per second; NULL on the first row and where no time " +
      "has passed",
    source: "(x − x before) / dt",
    example: { call: "derivative(x)", x: ["1.0", "3.0", "2.5"], gives: ["NULL", "2.0", "-0.5"] },
    emit: derivative,
  },
  {
    name: "totalize", parameters: "d?dd", result: "float64",
    usage: "totalize(x, [unit], [gap])",
    doc: "Integral of x over time, in x × unit (ms; 1s if left out: kW give kWs, with 1h kWh); a " +
      "bad row, or rows further apart than gap (ms), add nothing and leave the total uncertain",
    source: "trapezoidal rule: y += (x before + x) / 2 × dt / unit",
    example: { call: "totalize(x)", x: ["0.0", "2.0", "2.0"], gives: ["0.0", "1.0", "3.0"] },
    unsafe: "endless", emit: totalize,
  },
  {
    name: "time_in_state", parameters: "a", result: "float64", usage: "time_in_state(x)",
    doc: "Seconds since x took the value that it has; from the first row on",
    source: "t − t of the last change",
    example: { call: "time_in_state(x)", x: ["1", "1", "2", "2"],
      gives: ["0.0", "1.0", "0.0", "1.0"] },
    emit: timeInState,
  },
  {
    name: "cusum", parameters: "ddd", result: "float64", usage: "cusum(x, target, slack)",
    doc: "How far x has drifted from its target in sum, counting only what each row is off by " +
      "more than slack (unit of x): above 0 upwards, below 0 downwards; compare it with a limit",
    source: "Page 1954, tabular: high = max(0, high + x − target − slack), low likewise",
    example: { call: "cusum(x, 10, 1)", x: ["10.0", "13.0", "13.0", "7.0", "5.0"],
      gives: ["0.0", "2.0", "4.0", "-2.0", "-6.0"] },
    emit: cusum,
  },
];
