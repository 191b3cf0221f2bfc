import { existsSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { Fault } from "../base.ts";
import { disarm } from "../gate.ts";
import { heldStores, latchFile, lockHolder } from "../store.ts";
import type { DisarmAnswer } from "../runtime.ts";
import {
  apiAtHand, Client, clientHelp, clientOptions, isHeld, simulationStore, storeAtHand,
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
still leave. If it does not answer within 2 s it is killed, and that is said. Who may not open its
store asks its API on this box instead. Where nothing runs by the configuration at hand, every
Tagwerk of this machine is disarmed. Exit code 1 and "NOT disarmed" if one may still
write.${clientHelp}
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
    const found = stores(args);
    if (found.length === 0) {
      await disarmUnseen(args, by);
      return 0;
    }
    let code = 0;
    for (const store of found) {
      const { how, text: answer } = await disarm({
        raise: () => latchFile(store).set(by),
        ask: () => ask(args, store, by),
        // Once there is an answer nobody waits for the rest of the time.
        wait: (ms) => new Promise((resolve) => { setTimeout(resolve, ms).unref(); }),
        kill: () => kill(store),
      });
      console.log(`${store}: ${answer}${how === "failed" ? asOwner(store, by) : ""}`);
      if (how === "failed") code = 1;
    }
    return code;
  },
};

/** By the socket in the store; who may not open that asks as everybody on this box can (W4). */
async function ask(args: Args, store: string, by: string): Promise<string | null> {
  try {
    const answer = await new Client(args, store).post("/disarm", { by }) as DisarmAnswer;
    return answer.trouble;
  } catch (thrown) {
    if (ownerElse(store) === null) throw thrown;
  }
  const api = apiAtHand(args);
  const answer = await new Client(args, api).post("/disarm", { by }) as DisarmAnswer;
  if (answer.store === resolve(store)) return answer.trouble;
  throw new Fault("other-store",
    `what answers at ${api} was disarmed, but runs on ${answer.store}`);
}

/** Somebody who may not look at others' processes sees none: then the usual address is asked. */
async function disarmUnseen(args: Args, by: string): Promise<void> {
  const nothing = new Fault("not-running", "NOT disarmed: no Tagwerk was found. Say its " +
    "configuration (-c FILE) or its store (--store DIR)");
  if (process.getuid!() === 0) throw nothing;
  const api = apiAtHand(args);
  try {
    const { store, trouble } = await new Client(args, api).post("/disarm", { by }) as DisarmAnswer;
    console.log(`${store} (${api}): Disarmed; nothing can leave.${trouble ?? ""}`);
  } catch (thrown) {
    throw thrown instanceof Fault && thrown.code === "not-running" ? nothing : thrown;
  }
}

/** What to do where only the store's owner can help. */
function asOwner(store: string, by: string): string {
  const uid = ownerElse(store);
  if (uid === null) return "";
  const user = readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":"))
    .find((fields) => fields[2] === String(uid))?.[0] ?? `#${uid}`;
  return `. As its owner: sudo -u '${user}' tagwerk disarm --by '${by}' --store ${store}`;
}

/** Uid of the store's owner, if that is somebody else and we are not root. */
function ownerElse(store: string): number | null {
  const own = process.getuid!();
  if (own === 0 || !existsSync(store)) return null;
  const { uid } = statSync(store);
  return uid === own ? null : uid;
}

function mayOpen(store: string): boolean {
  try {
    isHeld(store);
    return true;
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === "store-unreadable") return false;
    throw thrown;
  }
}

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
  if (here.some((store) => !mayOpen(store) || isHeld(store))) return here;
  return [...new Set([...here, ...heldStores()])];
}

/** Ends the process that holds the store, if one does. */
function kill(directory: string): number | null {
  const holder = lockHolder(directory);
  if (holder !== null) process.kill(holder, "SIGKILL");
  return holder;
}
