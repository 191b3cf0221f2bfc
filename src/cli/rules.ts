import { nearest } from "../base.ts";
import { ruleOrders, type RuleView } from "../runtime.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { table } from "./table.ts";
import { text, Usage, word, type Args, type Verb } from "./verb.ts";

function rulesTable(rules: readonly RuleView[]): string {
  return table([["RULE", "STATE", "IN", "OUT", "ERRORS", "LOST", "EVICTED", "FAILURES", "REASON"],
    ...rules.map(({ name, state, rows_in, rows_out, errors, lost, evicted, failures, reason }) =>
      [name, state, rows_in, rows_out, errors, lost, evicted, failures, reason])]);
}

async function order(args: Args): Promise<RuleView> {
  const asked = word(args, 0, "start, stop, restart or reset");
  const known = ruleOrders.find((name) => name === asked);
  if (known === undefined) {
    const close = nearest(asked, ruleOrders);
    throw new Usage(`a rule has no "${asked}"; ${close === null
      ? `there are ${ruleOrders.join(", ")}` : `did you mean ${close}?`}`);
  }
  const rule = word(args, 1, "the RULE");
  const by = text(args, "by");
  if (by === null || by === "") throw new Usage("--by NAME is missing");
  return await new Client(args).post(
    `/rules/${encodeURIComponent(rule)}/${known}`, { by }) as RuleView;
}

export const rulesVerb: Verb = {
  name: "rules",
  usage: "rules | rules start|stop|restart|reset RULE --by NAME",
  words: 2,
  summary: "every rule and how it goes; stops, starts, resets one",
  help: `A stopped rule stays stopped until it is started, over restarts too. stop, start and
restart keep the rule's state; reset forgets it, and disarms what is written from it.
      --by NAME       who wants it; it stands in the audit${clientHelp}`,
  options: { ...clientOptions, by: { type: "string" } },
  async run(args) {
    const rules = args.words.length > 0 ? [await order(args)]
      : await new Client(args).get("/rules") as RuleView[];
    console.log(args.options["json"] ? JSON.stringify(rules, null, 2) : rulesTable(rules));
    return 0;
  },
};
