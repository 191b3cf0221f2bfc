import { UNCERTAIN } from "../../ring.ts";
import { phase, shown } from "../stateful/alarms.ts";
import { numberOf } from "../emit/code.ts";
import { argumentState } from "../stateful/signal.ts";
import { block, type Site } from "../stateful/site.ts";
import type { StatefulFunction } from "./stateful.ts";

/**
 * Fields, which `stateful/alarms.ts` reads and which an operator's acts change there: `phase`,
 * `shelved` the engine time until which it is, `entered` when it came into its phase. Beside them:
 * `rows` 1 after the first row, `last` the condition and `since` when it took that value without a
 * break, `active` 1 if it has been there for long enough, `gap` 1 after a row without a value.
 */
function alarm(site: Site): string[] {
  const [condition, on, off] = site.args.map(numberOf);
  const { code, s, time } = site;
  const [now, entered, shelved, rows, last, since, active, gap] =
    ["phase", "entered", "shelved", "rows", "last", "since", "active", "gap"]
      .map((name) => site.place(name));
  const a = argumentState(site, `${on} >= 0 & ${off} >= 0`);
  const enter = (to: string): string => `${now} = ${to}; ${entered} = ${time};`;
  const steady = code.name("steady");
  const known = [
    `if (${rows} === 0 || ${condition} !== ${last} || ${gap} === 1) ${since} = ${time};`,
    `${rows} = 1; ${gap} = 0; ${last} = ${condition};`,
    `const ${steady} = ${time} - ${since};`,
    block(`if (${condition} === 1 & ${active} === 0 & ${steady} >= ${on})`,
      [`${active} = 1; ${enter(`${phase.unacknowledged}`)}`]),
    block(`else if (${condition} === 0 & ${active} === 1 & ${steady} >= ${off})`, [
      `${active} = 0;`,
      enter(`${now} === ${phase.unacknowledged} ? ${phase.returned} : ${phase.normal}`),
    ]),
    `${s} = ${a};`,
  ];
  const unknown = [`${s} = ${a} > 193 ? ${a} : ${UNCERTAIN.skipped}; ${gap} = 1;`];
  const hold = [`${s} = ${UNCERTAIN.skipped};`];
  const judge = [block(`if (${a} < 64)`, known), block("else", unknown)];
  const state = code.name("state");
  const texts = Object.values(shown).map((text) => code.text(text));
  const nth = (part: "at" | "length"): string => texts.slice(1).reduceRight((other, _, i) =>
    `${state} === ${i} ? ${texts[i]![part]} : ${other}`, texts.at(-1)![part]);
  return [
    ...(site.when === "true" ? judge
      : [block(`if (${site.when})`, judge), block("else", hold)]),
    `const ${state} = ${time} < ${shelved} ? ${phase.shelved} : ${now};`,
    site.assign({ ...site.value(s), value: nth("at"), length: nth("length") }),
  ];
}

const nameOf = (name: unknown): string | null =>
  typeof name === "string" && /^[A-Za-z_][\w-]{0,63}$/.test(name) ? null
    : "An alarm's name is a text of letters, digits, _ and -, written out: 'overheat'";

export const alarms: readonly StatefulFunction[] = [
  {
    name: "alarm", parameters: "bdds", result: "text", slot: 16,
    usage: "alarm(condition, on_delay, off_delay, 'name')",
    doc: "State of an alarm: 'normal', 'unacknowledged', 'acknowledged', 'returned' (gone, not " +
      "acknowledged) or 'shelved'. It comes once the condition has been TRUE for on_delay (ms) " +
      "without a break, and goes once it has been FALSE for off_delay; while the condition is " +
      "not known it stays as it was, uncertain. `tagwerk ack` and `tagwerk shelve` take its name",
    source: "ANSI/ISA-18.2-2016, 5.2 (alarm states)",
    example: { call: "alarm(x, 1s, 0, 'hot')", x: ["FALSE", "TRUE", "TRUE", "FALSE"],
      gives: ["'normal'", "'normal'", "'unacknowledged'", "'returned'"] },
    constants: { 3: nameOf }, unsafe: "endless", emit: alarm,
  },
];
