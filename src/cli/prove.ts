import type { WriteAnswer } from "../runtime.ts";
import { shownProof } from "./arm.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { text, Usage, word, type Verb } from "./verb.ts";

export const proveVerb: Verb = {
  name: "prove",
  usage: "prove TAG --by NAME",
  words: 1,
  summary: "write a tag's present value back unchanged, and read it again",
  help: `Reads the tag first and shows it as arm does. After your yes the value that stands there is
written once, through the gate, under an arming for that one frame: the policy names prove in
"allow", and all its limits hold. It shows that a write arrives where the tag is read. A register
that acts on every write acts on this one too.${clientHelp}
      --by NAME       who takes responsibility; it stands in the audit
      --yes           do not ask (for a machine that is only simulated)`,
  options: { ...clientOptions, by: { type: "string" }, yes: { type: "boolean" } },
  async run(args) {
    const tag = word(args, 0, "TAG");
    const by = text(args, "by");
    if (by === null || by === "") throw new Usage("--by NAME is missing");
    const client = new Client(args);
    const proof = await shownProof(client, args, tag);
    if (proof === null) {
      console.log("nothing was written");
      return 1;
    }
    const id = `prove-${crypto.randomUUID()}`;
    const answer = (await client.post("/prove", { id, tag, by, proof })) as WriteAnswer;
    console.log(args.options["json"] === true ? JSON.stringify(answer, null, 2) : answer.text);
    return answer.outcome === "verified" ? 0 : 1;
  },
};
