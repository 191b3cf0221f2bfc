import { existsSync } from "node:fs";
import { Fault } from "../base.ts";
import { disarm } from "../gate.ts";
import { heldStores, latchFile, lockHolder } from "../store.ts";
import {
  Client, clientHelp, clientOptions, isHeld, simulationStore, storeAtHand,
} from "./client.ts";
import { text, Usage, type Args, type Verb } from "./verb.ts";

export const disarmVerb: Verb = {
  name: "disarm",
  usage: "disarm --by NAME | disarm --clear --by NAME",
  // In doubt it stops: a word too many is no reason not to.
  words: Infinity,
  summary: "stop all writing now; it stays stopped until --clear",
  help: `
Writes the latch first, then asks the running Tagwerk and waits until no admitted command can
still leave. If it does not answer within 2 s it is killed, and that is said. Where nothing runs
by the configuration at hand, every Tagwerk of this machine is disarmed.${clientHelp}
      --by NAME       who; it stands in the audit
      --clear         lift the latch (arming is another step)`,
  options: { ...clientOptions, by: { type: "string" }, clear: { type: "boolean" } },
  async run(args) {
    const by = text(args, "by");
    if (by === null || by === "") throw new Usage("--by NAME is missing");
    if (args.options["clear"]) {
      await new Client(args).post("/disarm", { by, clear: true });
      console.log("the latch is lifted; arm a tag to let it be written");
      return 0;
    }
    const { words } = args;
    if (words.length > 0) console.log(`all writing stops, not only that of ${words.join(", ")}`);
    for (const store of stores(args)) {
      const { text: answer } = await disarm({
        raise: () => latchFile(store).set(by),
        ask: async () => void await new Client(args, store).post("/disarm", { by }),
        // Once there is an answer nobody waits for the rest of the time.
        wait: (ms) => new Promise((resolve) => { setTimeout(resolve, ms).unref(); }),
        kill: () => kill(store),
      });
      console.log(`${store}: ${answer}`);
    }
    return 0;
  },
};

/**
 * The machine's own store always, also when only a simulation runs on this box: it is the one that
 * can hurt. If neither runs, whatever else does: nobody must take for silent what only runs
 * elsewhere (W4).
 */
function stores(args: Args): string[] {
  const told = text(args, "store");
  if (told !== null) return [told];
  const own = storeAtHand(args);
  const simulated = own === null ? null : simulationStore(own);
  const here = [own, simulated !== null && existsSync(simulated) ? simulated : null]
    .filter((store) => store !== null);
  if (here.some(isHeld)) return here;
  const all = [...new Set([...here, ...heldStores()])];
  if (all.length > 0) return all;
  throw new Fault("not-running", "NOT disarmed: no Tagwerk was found. Say its configuration " +
    "(-c FILE) or its store (--store DIR)");
}

/** Ends the process that holds the store, if one does. */
function kill(directory: string): number | null {
  const holder = lockHolder(directory);
  if (holder !== null) process.kill(holder, "SIGKILL");
  return holder;
}
