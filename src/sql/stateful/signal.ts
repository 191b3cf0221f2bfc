import { ERROR, NULL, UNCERTAIN } from "../../ring.ts";
import { failing, worst } from "../emit/code.ts";
import { block, type Site } from "./site.ts";

/** What a function of a signal does with a row whose arguments all have a value. */
export interface Signal {
  /** Condition on the parameters; a row where it is false is `ERROR.argument`. */
  readonly valid?: string;
  /** Lines for the first row. */
  readonly first: readonly string[];
  /** Condition of the first row: the result is assumed, no input shows it. */
  readonly assumed?: string;
  /** Lines for a later row; the result stands as the last row left it. */
  readonly next: readonly string[];
  /** Condition: from now on the state is of this row's input alone, the rest is forgotten. */
  readonly renewed: string;
  /** Condition of a later row: the result is NULL, as that of the first. */
  readonly none?: string;
  /** A row left out makes no more than the next result uncertain. */
  readonly bridges?: boolean;
  /** Where WHEN is not true the result is FALSE, not the last one. */
  readonly pulse?: boolean;
}

/**
 * The frame of a signal function. Fields: `rows` 1 after the first row, `y` the last result, `q`
 * the worst state of what made it, `none` 1 if it was NULL, `gap` 1 after a row that had no value,
 * `at` time of the last row that had one. A row without a value has the state of its argument and
 * changes nothing.
 */
export function signal(site: Site, spec: Signal): string[] {
  const { y, s } = site;
  const [rows, kept, q, gap, at] = ["rows", "y", "q", "gap", "at"].map((name) => site.place(name));
  site.interrupted("gap", 1, "rows");
  const a = argumentState(site, spec.valid);
  const constant = spec.renewed === "true" || spec.renewed === "false";
  const renewed = constant ? spec.renewed : site.code.name("renewed");
  const assumed = spec.assumed === undefined ? []
    : [`if ((${spec.assumed}) && ${s} < ${UNCERTAIN.substituted}) ${s} = ` +
      `${UNCERTAIN.substituted};`];
  const none = (condition: string): string[] => spec.none === undefined ? []
    : [`${site.place("none")} = ${condition} ? 1 : 0;`, `if (${condition}) ${s} = ${NULL};`];
  const forgets = [`${q} = ${a};`, site.made(site.input)];
  const keeps = [spec.bridges ? `if (${a} > ${q}) ${q} = ${a};` : `${q} = ${s};`,
    site.made(site.result)];
  const last = spec.renewed === "true" ? forgets : spec.renewed === "false" ? keeps
    : [`const ${renewed} = ${spec.renewed};`, block(`if (${renewed})`, forgets),
      block("else", keeps)];
  const bridged = `if (${gap} === 1 && ${s} < ${UNCERTAIN.skipped}) ${s} = ${UNCERTAIN.skipped};`;
  const taken = [
    `${s} = ${a};`,
    block(`if (${rows} === 0)`, [...spec.first, ...assumed, `${q} = ${s};`,
      site.made(site.input), ...none("true")]),
    block("else", [
      `${y} = ${kept};`, site.raise(q!), bridged, site.uses(), ...spec.next,
      ...last, ...none(spec.none ?? ""),
    ]),
    `${rows} = 1; ${gap} = 0; ${at} = ${site.time}; ${kept} = ${y};`,
    ...(site.type.kind === "float64"
      ? [`if (${y} - ${y} !== 0) { ${s} = ${ERROR.number}; ${rows} = 0; }`] : []),
  ];
  const held = spec.pulse ? [`${s} = 0;`]
    : [block(`if (${rows} === 1)`, [`${y} = ${kept}; ${s} = ${q};`,
      ...(spec.none === undefined ? [] : [`if (${site.place("none")} === 1) ${s} = ${NULL};`]),
      site.uses()])];
  const body = [block(`if (${a} > 63)`, [`${s} = ${a}; ${gap} = 1;`]), block("else", taken)];
  return site.when === "true" ? body
    : [block(`if (${site.when})`, body), block("else", held)];
}

/** The worst state of the arguments; numbers must be finite, parameters valid. */
export function argumentState(site: Site, valid?: string): string {
  const { code, args } = site;
  let state = worst(code, ...args.map((v) => v.state));
  const numbers = args.filter((v) => v.kind === "float64");
  if (numbers.length > 0) {
    const open = numbers.map(({ value }) => `${value} - ${value} !== 0`).join(" | ");
    state = failing(code, state, open, ERROR.number);
  }
  return valid === undefined ? state : failing(code, state, `!(${valid})`, ERROR.argument);
}
