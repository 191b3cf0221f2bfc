import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse } from "jsonc-parser";
import { Fault, reason } from "../base.ts";
import { lockHolder } from "../store.ts";
import { text, type Args } from "./verb.ts";

/** Options of every verb that talks to a running Tagwerk. */
export const clientOptions = {
  config: { type: "string", short: "c" },
  store: { type: "string" },
  json: { type: "boolean" },
} as const;

export const clientHelp = `
  -c, --config FILE   the configuration of the running Tagwerk (default gateway.json here)
      --store DIR     its store, if there is no configuration at hand
      --json          print the answer as JSON`;

const default_directory = "/var/lib/tagwerk";

/**
 * The store of the running Tagwerk: as told, or `store.directory` of the configuration at hand, or
 * where a store is by default; a simulation's own (W25) if only that one is running.
 */
function storeDirectory(args: Args): string {
  const told = text(args, "store");
  if (told !== null) return told;
  const directory = configuredStore(text(args, "config") ?? "gateway.json");
  const simulated = simulationStore(directory);
  // Not by the socket: one that was killed leaves it behind.
  const runs = (store: string): boolean => lockHolder(store) !== null;
  return !runs(directory) && runs(simulated) ? simulated : directory;
}

/** `store.directory` of a configuration, also of one that has problems. */
export function configuredStore(config: string): string {
  if (!existsSync(config)) return default_directory;
  const parsed = parse(readFileSync(config, "utf8")) as { store?: { directory?: string } }
    | undefined;
  const directory: unknown = parsed?.store?.directory;
  return typeof directory === "string" ? resolve(dirname(config), directory) : default_directory;
}

/** W25: a simulation runs on a store of its own. */
export const simulationStore = (directory: string): string => `${directory}-simulation`;

/** Name of the command line's unix socket in the store's directory. */
export const socket_name = "tagwerk.sock";

interface Failure {
  readonly error?: { readonly code: string; readonly message: string };
}

/** A client of the same REST as everybody's, over the unix socket. */
export class Client {
  readonly #socket: string;

  constructor(args: Args, store = storeDirectory(args)) {
    this.#socket = join(store, socket_name);
  }

  get(path: string): Promise<unknown> {
    return this.#ask(path, {});
  }

  post(path: string, body: unknown): Promise<unknown> {
    return this.#ask(path, {
      method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" },
    });
  }

  async #ask(path: string, init: RequestInit): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(`http://tagwerk${path}`, { ...init, unix: this.#socket });
    } catch (thrown) {
      throw new Fault("not-running", `No Tagwerk answers at ${this.#socket} (${reason(thrown)}). ` +
        "Is it running, and is this its configuration (-c FILE)?", { socket: this.#socket });
    }
    const type = response.headers.get("content-type") ?? "";
    const answer = type.startsWith("application/json") ? await response.json()
      : await response.text();
    const failure = (answer as Failure | null)?.error;
    if (failure !== undefined) throw new Fault(failure.code, failure.message);
    return answer;
  }
}
