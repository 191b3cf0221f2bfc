import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse, type ParseError } from "jsonc-parser";
import { Fault, reason, stringifyJson } from "../base.ts";
import { heldStores, lockHolder } from "../store.ts";
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

/** Where a store is if the configuration does not say. */
export const default_directory = "/var/lib/tagwerk";

/** Where the API listens if the configuration does not say. */
const default_listen = "127.0.0.1:8600";

/**
 * The store of the running Tagwerk: as told, or that of the configuration at hand; a simulation's
 * own (W25) if only that one is running; without a configuration, the only one that runs here.
 */
export function storeDirectory(args: Args): string {
  const told = text(args, "store");
  if (told !== null) return told;
  const directory = storeAtHand(args);
  if (directory === null) return onlyStore();
  const simulated = simulationStore(directory);
  return !isHeld(directory) && isHeld(simulated) ? simulated : directory;
}

/** Not by the socket: one that was killed leaves it behind. */
export const isHeld = (store: string): boolean => lockHolder(store) !== null;

/** The store of the configuration that is named or lies here; null = there is none to be told. */
export function storeAtHand(args: Args): string | null {
  const named = text(args, "config");
  if (named !== null && !existsSync(named)) {
    throw new Fault("unknown-file", `There is no file ${named}`, { path: named });
  }
  return configuredStore(named ?? "gateway.json");
}

function onlyStore(): string {
  const held = heldStores();
  if (held.length === 1) return held[0]!;
  throw new Fault("not-running", held.length === 0
    ? "No running Tagwerk was found. Say its configuration (-c FILE) or its store (--store DIR)"
    : `Several run here: say --store with one of ${held.join(", ")}`);
}

/**
 * `store.directory` of a configuration, also of one that has problems; null = there is no file, or
 * what it says of its store is damaged.
 */
export function configuredStore(config: string): string | null {
  const { told, damaged } = readPlaces(config);
  const directory = told?.store?.directory;
  if (typeof directory === "string") return resolve(dirname(config), directory);
  return damaged || told === null ? null : default_directory;
}

/** The API of the configuration at hand, or the usual one, as it is reached from this box. */
export function apiAtHand(args: Args): string {
  const listen = readPlaces(text(args, "config") ?? "gateway.json").told?.api?.listen;
  const address = typeof listen === "string" ? listen : default_listen;
  return `http://${address.replace(/^0\.0\.0\.0(?=:)/, "127.0.0.1").replace("[::]", "[::1]")}`;
}

interface Places {
  readonly store?: { readonly directory?: unknown };
  readonly api?: { readonly listen?: unknown };
}

function readPlaces(config: string): { told: Places | null; damaged: boolean } {
  if (!existsSync(config)) return { told: null, damaged: false };
  const errors: ParseError[] = [];
  const told = (parse(readText(config), errors) ?? null) as Places | null;
  return { told, damaged: errors.length > 0 };
}

export function readText(path: string): string {
  if (!existsSync(path)) throw new Fault("unknown-file", `There is no file ${path}`, { path });
  try {
    // Windows editors put a mark of the byte order before a text.
    return readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (thrown) {
    throw new Fault("unreadable-file", `${path} cannot be read: ${reason(thrown)}`, { path });
  }
}

/** W25: a simulation runs on a store of its own. */
export const simulationStore = (directory: string): string => `${directory}-simulation`;

/** Name of the command line's unix socket in the store's directory. */
export const socket_name = "tagwerk.sock";

interface Failure {
  readonly error?: { readonly code: string; readonly message: string };
}

/**
 * A client of the same REST as everybody's, over the unix socket in the store; or at an address,
 * for what needs no right.
 */
export class Client {
  readonly #base: string;
  readonly #socket: string | null;

  constructor(args: Args, at = storeDirectory(args)) {
    const isAddress = at.startsWith("http://");
    this.#base = isAddress ? at : "http://tagwerk";
    this.#socket = isAddress ? null : join(at, socket_name);
  }

  get(path: string): Promise<unknown> {
    return this.#ask(path, {});
  }

  post(path: string, body: unknown): Promise<unknown> {
    return this.#ask(path, {
      method: "POST", body: stringifyJson(body), headers: { "content-type": "application/json" },
    });
  }

  async #ask(path: string, init: RequestInit): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(`${this.#base}${path}`,
        this.#socket === null ? init : { ...init, unix: this.#socket });
    } catch (thrown) {
      const at = this.#socket ?? this.#base;
      throw new Fault("not-running", `No Tagwerk answers at ${at} (${why(thrown)}). ` +
        "Is it running, and is this its configuration (-c FILE)?", { at });
    }
    const type = response.headers.get("content-type") ?? "";
    const answer = type.startsWith("application/json") ? await response.json()
      : await response.text();
    const failure = (answer as Failure | null)?.error;
    if (failure !== undefined) throw new Fault(failure.code, failure.message);
    return answer;
  }
}

/** Bun calls every failed connection "a typo in the url or port", which the user has not typed. */
function why(thrown: unknown): string {
  const { code } = thrown as { code?: unknown };
  return code === "FailedToOpenSocket" || code === "ConnectionRefused" || code === "ENOENT"
    ? "nothing listens there, or it may not be opened" : reason(thrown);
}
