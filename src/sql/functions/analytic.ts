import { limits } from "../../base.ts";
import { ABSENT, ERROR, NULL, UNCERTAIN } from "../../ring.ts";
import {
  all, failed, failing, known, numberOf, trusted, type Value, worst,
} from "../emit/code.ts";
import { block, either, KeptCell, type Site } from "../stateful/site.ts";
import type { StatefulFunction } from "./stateful.ts";

const typeOf = (v: Value): { kind: Value["kind"]; slot: number } =>
  ({ kind: v.kind, slot: v.slot ?? 0 });

/** Condition: the state reads as NULL. */
const missing = (state: string): string => (known(state) === "true" ? "false"
  : `${state} > 63 && ${state} < 194`);

/** What runs if WHEN lets the row in. */
const taken = (site: Site, lines: readonly string[]): string[] => either(site.when, lines, []);

/** A default stands for what is not known, whatever its own state. */
function fallback(site: Site, value: Value | undefined): string[] {
  const { s } = site;
  if (value === undefined) return [];
  return [site.assign(value), `${s} = ${value.state};`,
    `if (${s} < ${UNCERTAIN.substituted}) ${s} = ${UNCERTAIN.substituted};`];
}

/**
 * The last `offset` values as a ring: `next` the place that is written next and, once `rows` have
 * been kept, the oldest. `skip` counts down the rows for which a row left out lies in between.
 */
function lag(site: Site): string[] {
  const [x, offset, value, ignore] = site.args;
  const count = Number(site.constants[1] ?? 1);
  const cell = new KeptCell(site, "value", site.type, count);
  const [rows, skip] = [site.place("rows"), site.place("skip")];
  site.interrupted("skip", count, "rows");
  const { s } = site;
  const n = offset?.value ?? "1";
  // The value before has one place, which is always the next.
  const next = offset === undefined ? null : site.place("next");
  const e = next === null ? site.index : site.code.name("e");
  const absent = missing(x!.state);
  const skips = ignore === undefined || absent === "false" ? absent
    : `${ignore.value} && ${absent}`;
  const kept = cell.value(e);
  const base = site.index === "0" ? "" : `Math.imul(${site.index}, ${n}) + `;
  return [
    ...(next === null ? [] : [`const ${e} = ${base}${next} | 0;`]),
    block(`if (${rows} >= ${n})`, [
      ...copied(site, kept), `${s} = ${kept.state};`,
      `if (${skip} > 0 && ${s} < ${UNCERTAIN.skipped}) ${s} = ${UNCERTAIN.skipped};`,
      site.uses(e, count),
    ]),
    ...(value === undefined ? [] : [block("else", fallback(site, value))]),
    ...taken(site, either(skips, [`${skip} = ${n};`], [
      cell.keep(x!, e), site.made(site.input, e, count),
      ...(next === null ? [`${rows} = 1; ${skip} = 0;`] : [
        `${next} = ${next} + 1 < ${n} ? ${next} + 1 : 0;`,
        `if (${rows} < ${n}) ${rows} += 1;`, `if (${skip} > 0) ${skip} -= 1;`,
      ]),
    ])),
  ];
}

/** A text must outlast the row that takes its place. */
function copied(site: Site, kept: Value): string[] {
  if (kept.length === undefined) return [site.assign(kept)];
  const at = site.code.scratch(kept.slot!);
  return [`fn.copyBytes(U, ${at}, ${kept.value}, ${kept.length});`,
    site.assign({ ...kept, value: at })];
}

function latest(site: Site): string[] {
  const [x, value] = site.args;
  const cell = new KeptCell(site, "value", site.type);
  const rows = site.place("rows");
  const { s } = site;
  const kept = [site.assign(cell.value()), `${s} = ${cell.state()};`, site.uses()];
  const fall = value === undefined ? [] : [block("else", fallback(site, value))];
  const substituted =
    `if (${s} < ${UNCERTAIN.substituted}) ${s} = ${UNCERTAIN.substituted};`;
  const body = either(known(x!.state), [
    site.assign(x!), `${s} = ${x!.state};`, cell.keep(x!), site.made(site.input), `${rows} = 1;`,
  ], either(failed(x!.state), [`${s} = ${x!.state};`], [
    block(`if (${rows} === 1)`, [...kept, substituted]),
    ...(value === undefined ? [block("else", [`${s} = ${x!.state};`])] : fall),
  ]));
  return site.when === "true" ? body : [
    block(`if (${site.when})`, body),
    block("else", [block(`if (${rows} === 1)`, kept), ...fall]),
  ];
}

/**
 * A kept cell beside a value: NULL is equal to NULL, and what was never kept is NULL, as good as
 * can be.
 */
function compared(site: Site, name: string, x: Value):
  { cell: KeptCell; changed: string; rows: string } {
  const cell = new KeptCell(site, name, typeOf(x));
  const rows = site.place(`${name}_rows`);
  // What is always there was there the last time.
  const had = known(x.state) === "true" ? `${rows} === 1`
    : `${rows} === 1 && ${cell.state()} < 64`;
  const differs = `!(${had} && ${cell.same(x)})`;
  return { cell, rows,
    changed: known(x.state) === "true" ? differs : `${known(x.state)} ? ${differs} : ${had}` };
}

const ignoring = (v: Value): string => all(known(v.state), `(${v.value})`);

function changedColumn(site: Site): string[] {
  const [ignore, x] = site.args as [Value, Value];
  const { s, code } = site;
  const { cell, changed, rows } = compared(site, "value", x);
  const gap = site.place("gap");
  site.interrupted("gap", 1, "value_rows");
  const [differs, before] = [code.name("differs"), code.name("before")];
  const left = known(x.state) === "true" ? "false"
    : `${failed(x.state)} || ${ignoring(ignore)} && ${x.state} > 63`;
  return taken(site, either(left, [`${s} = ${x.state}; ${gap} = 1;`], [
    `const ${differs} = ${changed}, ${before} = ${cell.state()};`,
    block(`if (${differs})`, [
      site.assign(x), `${s} = ${x.state};`,
      raiseBefore(site, before), ...bridged(site, gap),
      block(`if (${rows} === 1)`, [site.uses()]),
    ]),
    cell.keep(x), `${rows} = 1; ${gap} = 0;`, site.made(site.input),
  ]));
}

/** A comparison with what read as NULL is not fully trusted; what has no value stays as it is. */
const raiseBefore = ({ s }: Site, before: string): string =>
  `${s} = ${before} > 63 ? ${s} < ${UNCERTAIN.skipped} ? ${UNCERTAIN.skipped} : ${s} ` +
  `: ${before} > ${s} ? ${before} : ${s};`;

const bridged = ({ s }: Site, gap: string): string[] =>
  [`if (${gap} === 1 && ${s} < ${UNCERTAIN.skipped}) ${s} = ${UNCERTAIN.skipped};`];

function hadChanged(site: Site): string[] {
  const [ignore, ...values] = site.args as [Value, ...Value[]];
  const { s, y, code } = site;
  const gap = site.place("gap");
  site.interrupted("gap", 1, "rows");
  const each = values.map((x, i) => {
    const { cell, changed, rows } = compared(site, `value${i}`, x);
    // Always good, as states are.
    if (x.state === "0") return [`if (${changed}) ${y} = 1;`, cell.keep(x), `${rows} = 1;`];
    const before = code.name("before");
    const sure = trusted(code, x.state);
    return [
      block(`if (${failed(x.state)})`, [site.raise(x.state), `${gap} = 1;`]),
      block(`else if (${ignoring(ignore)} && ${x.state} > 63)`,
        [site.raise(String(UNCERTAIN.skipped)), `${gap} = 1;`]),
      block("else", [
        `const ${before} = ${cell.state()};`,
        `if (${changed}) ${y} = 1;`,
        site.raise(sure), raiseBefore(site, before), cell.keep(x), `${rows} = 1;`,
      ]),
    ];
  }).flat();
  const skipped = code.name("skipped");
  return [`${s} = 0;`, ...taken(site, [
    `const ${skipped} = ${gap}; ${gap} = 0;`,
    ...each,
    site.raise(`${skipped} * ${UNCERTAIN.skipped}`),
    `if (${site.place("rows")} === 1) { ${site.uses()} }`,
    // What was left out is compared with an older row the next time.
    block(`if (${gap} === 0)`, [site.made(site.input)]),
    block("else", [site.made(site.result)]),
    `${site.place("rows")} = 1;`,
  ])];
}

type Fold = "sum" | "min" | "max" | "avg" | "count";

/**
 * Running totals. `on`: counting has begun; `n` values in `value`; `q` the worst state of what they
 * are made of. The row that resets is still counted.
 */
function accumulate(site: Site, fold: Fold): string[] {
  const [x, start, reset] = site.args as [Value, Value?, Value?];
  const { code, y, s } = site;
  const [on, n, q, rows] = ["on", "n", "q", "rows"].map((name) => site.place(name));
  const value = fold === "count" ? n : site.place("value");
  const conditions = [start, reset].filter((v) => v !== undefined);
  const c = worst(code, ...conditions.map((v) => trusted(code, v.state)));
  const a = x.kind === "float64" && fold !== "count"
    ? failing(code, x.state, `${x.value} - ${x.value} !== 0`, ERROR.number) : x.state;
  const number = numberOf(x);
  const add: Record<Fold, string> = {
    count: "", sum: `${value} = ${value} + ${number};`, avg: `${value} = ${value} + ${number};`,
    min: `if (${n} === 0 || ${number} < ${value}) ${value} = ${number};`,
    max: `if (${n} === 0 || ${number} > ${value}) ${value} = ${number};`,
  };
  const result = fold === "count" ? n! : fold === "avg"
    ? `${n} === 0 ? 0 : ${value} / ${n}` : value!;
  const clear = `${on} = 0; ${n} = 0; ${fold === "count" ? "" : `${value} = 0; `}` +
    `${q} = 0; ${rows} = 0;`;
  const worse = (state: string): string => `if (${state} > ${q}) ${q} = ${state};`;
  // Conditions that are always good make nothing worse.
  const doubted = c === "0" ? [] : [worse(c)];
  const counts = [...(start === undefined ? [] : [`${on} === 1`]),
    ...(c === "0" ? [] : [`${c} < 194`])].join(" && ");
  const count = [
    ...doubted,
    block(`if (${known(a)})`, [add[fold], `${n} = ${n} + 1;`, worse(a)].filter(Boolean)),
    block(`else if (${a} !== ${NULL} && ${a} !== ${ABSENT})`, [worse(String(UNCERTAIN.skipped))]),
    `${rows} = 1; ${site.made(site.result)}`,
  ];
  return [
    block(`if (${rows} === 1)`, [site.uses()]),
    ...taken(site, [
      ...(start === undefined ? [] : [`if (${ignoring(start)}) ${on} = 1;`]),
      ...(counts === "" ? count : [block(`if (${counts})`, count)]),
    ]),
    `${y} = ${result}; ${s} = ${q};`,
    ...taken(site, [
      ...(c === "0" ? [] : [site.raise(c)]), `if (${failed(a)}) ${s} = ${a};`,
      ...(reset === undefined ? [] : [`if (${ignoring(reset)}) { ${clear} }`]),
    ]),
    ...(fold === "count" ? []
      : [`if (${y} - ${y} !== 0) { ${s} = ${ERROR.number}; ${n} = 0; ${value} = 0; }`]),
  ];
}

const folds: readonly (readonly [Fold, string, readonly string[]])[] = [
  ["sum", "Running sum", ["1.0", "3.0", "6.0"]],
  ["min", "Smallest value so far", ["1.0", "1.0", "1.0"]],
  ["max", "Largest value so far", ["1.0", "2.0", "3.0"]],
  ["avg", "Running mean, a float", ["1.0", "1.5", "2.0"]],
  ["count", "Number of values known so far", ["1", "2", "3"]],
];

const rowsOf = (rows: unknown): string | null =>
  Number(rows) >= 1 && Number(rows) <= limits.lag_rows_max ? null
    : `lag() looks back over a number of rows that is written out, 1 to ${limits.lag_rows_max}`;

/** eKuiper's analytic functions. */
export const analytics: readonly StatefulFunction[] = [
  {
    name: "lag", parameters: "a?uaB", result: "value",
    usage: "lag(x, [rows], [default], [ignoreNull])",
    doc: "x of so many rows before (1 if left out); rows without a value do not count, unless " +
      "ignoreNull is FALSE",
    source: "eKuiper",
    example: { call: "lag(x)", x: ["1", "2", "3"], gives: ["NULL", "1", "2"] },
    constants: { 1: rowsOf }, emit: lag,
  },
  {
    name: "latest", parameters: "a?a", result: "value", usage: "latest(x, [default])",
    doc: "x, or where it has no value the last one that it had, uncertain",
    source: "eKuiper",
    example: { call: "latest(x)", x: ["1", "NULL", "3"], gives: ["1", "1", "3"] },
    unsafe: "hides", emit: latest,
  },
  {
    name: "changed_col", parameters: "ba", result: "value",
    usage: "changed_col(ignoreNull, x)",
    doc: "x where it differs from the row before, else NULL",
    source: "eKuiper",
    example: { call: "changed_col(TRUE, x)", x: ["1", "1", "2"], gives: ["1", "NULL", "2"] },
    emit: changedColumn,
  },
  {
    name: "had_changed", parameters: "b*+", result: "bool",
    usage: "had_changed(ignoreNull, x, …)",
    doc: "Whether one of the values, or of the columns of `*`, differs from the row before",
    source: "eKuiper",
    example: { call: "had_changed(TRUE, x)", x: ["1", "1", "2"],
      gives: ["TRUE", "FALSE", "TRUE"] },
    emit: hadChanged,
  },
  ...folds.map(([fold, doc, gives]): StatefulFunction => ({
    name: `acc_${fold}`, parameters: fold === "count" ? "a?bb" : "d?bb",
    result: fold === "count" ? "int53" : "float64",
    usage: `acc_${fold}(x, [start, reset])`,
    doc: `${doc}; with conditions from the row that starts to the row that resets, else 0`,
    source: "eKuiper",
    example: { call: `acc_${fold}(x)`, x: ["1", "2", "3"], gives },
    unsafe: "endless", emit: (site) => accumulate(site, fold),
  })),
];
