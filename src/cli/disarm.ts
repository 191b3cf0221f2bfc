import { Fault } from "../base.ts";
import { latchFile, lockHolder } from "../store.ts";
import { limits } from "../base.ts";
import { Client, clientHelp, clientOptions, storeDirectory } from "./client.ts";
import { text, Usage, type Verb } from "./verb.ts";

export const disarmVerb: Verb = {
  name: "disarm",
  usage: "disarm --by NAME | disarm --clear --by NAME",
  summary: "stop all writing now; it stays stopped until --clear",
  help: `Writes the latch first, then asks the running Tagwerk and waits until no admitted command can
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
    latchFile(directory).set(by);
    return await stop(client, by, directory);
  },
};

/** W4: the latch is on disk already; now nothing admitted may still leave. */
async function stop(client: Client, by: string, directory: string): Promise<number> {
  const late = Bun.sleep(limits.disarm_ms_max).then(() => "late" as const);
  const asked = client.post("/disarm", { by }).then(() => "done" as const);
  const answer = await Promise.race([asked, late]).catch((thrown: unknown) => {
    if (thrown instanceof Fault && thrown.code === "not-running") return "not-running" as const;
    throw thrown;
  });
  if (answer === "done") {
    console.log("disarmed: nothing is written until disarm --clear");
    return 0;
  }
  const holder = lockHolder(directory);
  if (answer === "not-running" && holder === null) {
    console.log("disarmed; no Tagwerk is running on this store");
    return 0;
  }
  if (holder !== null) process.kill(holder, "SIGKILL");
  console.log(`disarmed; Tagwerk (process ${holder}) did not answer and was killed`);
  return 0;
}
