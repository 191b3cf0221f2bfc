import { Client, clientHelp, clientOptions } from "./client.ts";
import { word, type Verb } from "./verb.ts";

export const explainVerb: Verb = {
  name: "explain",
  usage: "explain RULE",
  words: 1,
  summary: "plan, bytes and generated code of a rule",
  help: clientHelp,
  options: clientOptions,
  async run(args) {
    const rule = encodeURIComponent(word(args, 0, "RULE"));
    console.log(await new Client(args).get(`/rules/${rule}/explain`));
    return 0;
  },
};
