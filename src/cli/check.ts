import { notesOf, planText } from "../runtime.ts";
import { examineModels } from "./examine-models.ts";
import { examine } from "./examine.ts";
import { text, word, type Verb } from "./verb.ts";

export const checkVerb: Verb = {
  name: "check",
  usage: "check GATEWAY.json",
  words: 1,
  summary: "everything wrong with a configuration, then its memory plan",
  help: `
      --links FILE    lay simulated links over it, as "run --links" does
Exit code 1 if something is wrong or the plan does not fit the profile's memory.`,
  options: { links: { type: "string" } },
  async run(args, host) {
    const path = word(args, 0, "GATEWAY.json");
    const examined = examine(path, host.components, text(args, "links"));
    const { graph } = examined;
    const texts = graph === null ? examined.texts : await examineModels(graph, examined.tell);
    if (graph === null || texts.length > 0) {
      for (const problem of texts) console.log(`${problem}\n`);
      console.log(`${texts.length} problem${texts.length === 1 ? "" : "s"} in ${path}`);
      return 1;
    }
    const plan = planText(graph);
    console.log([...notesOf(graph), plan.text].join("\n"));
    return plan.fits ? 0 : 1;
  },
};
