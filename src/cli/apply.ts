import type { ChangeAnswer } from "../runtime.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { changeBody, forecastText } from "./plan.ts";
import { text, Usage, type Args, type Verb } from "./verb.ts";

function byOf(args: Args): string {
  const by = text(args, "by");
  if (by === null || by === "") throw new Usage("--by NAME is missing");
  return by;
}

export const applyVerb: Verb = {
  name: "apply",
  usage: "apply NEW.json --by NAME",
  words: 1,
  summary: "change to another configuration while the rest goes on",
  help: `Then the file of the running configuration has the new text. What the change touches of the
way to a machine is disarmed. What needs a restart, or does not fit, is refused: nothing is changed.
      --by NAME       who changes it; it stands in the audit
      --confirm TIME  it is taken back after so long unless "tagwerk confirm" comes; until then the
                      file, and so a restart, has the configuration of before${clientHelp}`,
  options: { ...clientOptions, by: { type: "string" }, confirm: { type: "string" } },
  async run(args) {
    const [by, confirm] = [byOf(args), text(args, "confirm")];
    const answer = await new Client(args).post("/apply", {
      ...changeBody(args), by, ...(confirm === null ? {} : { confirm }),
    }) as ChangeAnswer;
    if (args.options["json"]) console.log(JSON.stringify(answer, null, 2));
    else console.log(`${forecastText(answer.forecast)}\n${appliedText(answer)}`);
    return 0;
  },
};

function appliedText({ unconfirmed }: ChangeAnswer): string {
  return unconfirmed === null ? "applied"
    : `applied; taken back at ${new Date(unconfirmed.until).toISOString()} unless: tagwerk confirm`;
}

export const confirmVerb: Verb = {
  name: "confirm",
  usage: "confirm --by NAME",
  words: 0,
  summary: "an applied change stays, or is taken back",
  help: `
      --by NAME       who says so; it stands in the audit
      --back          take it back now${clientHelp}`,
  options: { ...clientOptions, by: { type: "string" }, back: { type: "boolean" } },
  async run(args) {
    const back = args.options["back"] === true;
    await new Client(args).post("/confirm", { by: byOf(args), back });
    console.log(back ? "taken back" : "confirmed");
    return 0;
  },
};
