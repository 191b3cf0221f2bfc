import { disarm } from "../gate.ts";
import { latchFile, lockHolder } from "../store.ts";
import { Client, clientHelp, clientOptions, storeDirectory } from "./client.ts";
import { text, Usage, type Verb } from "./verb.ts";

export const disarmVerb: Verb = {
  name: "disarm",
  usage: "disarm --by NAME | disarm --clear --by NAME",
  summary: "stop all writing now; it stays stopped until --clear",
  help: `
Writes the latch first, then asks the running Tagwerk and waits until no admitted command can
still leave. If it does not answer within 2 s it is killed, and that is said.${clientHelp}
      --by NAME       who; it stands in the audit
      --clear         lift the latch (arming is another step)`,
  options: { ...clientOptions, by: { type: "string" }, clear: { type: "boolean" } },
  async run(args) {
    const by = text(args, "by");
    if (by === null || by === "") throw new Usage("--by NAME is missing");
    const client = new Client(args);
    if (args.options["clear"]) {
      await client.post("/disarm", { by, clear: true });
      console.log("the latch is lifted; arm a tag to let it be written");
      return 0;
    }
    const directory = storeDirectory(args);
    const { text: answer } = await disarm({
      raise: () => latchFile(directory).set(by),
      ask: async () => void await client.post("/disarm", { by }),
      wait: (ms) => Bun.sleep(ms),
      kill: () => kill(directory),
    });
    console.log(answer);
    return 0;
  },
};

/** Ends the process that holds the store, if one does. */
function kill(directory: string): number | null {
  const holder = lockHolder(directory);
  if (holder !== null) process.kill(holder, "SIGKILL");
  return holder;
}
