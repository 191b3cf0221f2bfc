import type { Ending, Intent, RefusedAttempt, Store, Withheld } from "../store.ts";
import type { FromTopic } from "./commands.ts";
import type { Kept } from "./change.ts";
import type { Components } from "./graph.ts";
import { hostCalls, RoleHost, type HostCalls, type Offer, type RoleStart } from "./host.ts";
import { Rpc, type Port } from "./rpc.ts";
import type { Share } from "./share.ts";
import { localStore, stateCalls, type StatePort, type StorePort } from "./store-port.ts";
import { received, type Sent, sent } from "./travel.ts";
import type { World } from "./world.ts";

/** All that a role's thread is told at its start. */
export interface RoleInit extends RoleStart {
  readonly kind: "role";
  readonly workerUrl: string;
  readonly directory: string;
  readonly unavailable: string | null;
  /** The clock of all threads. */
  readonly engineClock: SharedArrayBuffer;
}

type SentInit = Omit<RoleInit, "share"> & { readonly share: Sent<Share> };

/** A role on another thread, as `main` sees it: the same calls, by messages. */
export class RemoteRole {
  readonly calls: HostCalls;
  readonly #rpc: Rpc;
  /** What the role believes of the audit. */
  #told: string | null = null;

  constructor(port: Port, store: Store, command: (message: FromTopic) => Promise<string>) {
    const local = localStore(store);
    this.#rpc = new Rpc(port, {
      // The answer carries why, so that the role need not be told in another message first.
      intents: async (intents: readonly Intent[]) => {
        const rows = await local.intents(intents);
        this.#told = local.unavailable;
        return { rows, unavailable: this.#told };
      },
      outcomes: (endings: readonly Ending[]) => local.outcomes(endings),
      refusals: (attempts: readonly RefusedAttempt[]) => local.refusals(attempts),
      withheld: (refusal: Withheld) => local.withheld(refusal),
      nextArming: () => local.nextArming(),
      beginArming: (row: Parameters<StorePort["beginArming"]>[0]) => local.beginArming(row),
      endArming: (number: number, why: string) => local.endArming(number, why),
      proof: (tag: string) => local.proof(tag),
      saveProof: (proof: Parameters<StorePort["saveProof"]>[0]) => local.saveProof(proof),
      command,
      ...Object.fromEntries(stateCalls.map((name) =>
        [`state.${name}`, (...args: never[]) => (local.state as any)[name](...args)])),
    });
    this.calls = {
      ...Object.fromEntries(hostCalls.map((name) =>
        [name, (...args: unknown[]) => this.#rpc.call(name, ...args)])) as unknown as HostCalls,
      prepare: (share, kept) => this.#rpc.call("prepare", sent(share), kept),
    };
  }

  offer(init: RoleInit): Promise<Offer> {
    this.#told = init.unavailable;
    return this.#rpc.call("init", { ...init, share: sent(init.share) });
  }

  start(offers: readonly Offer[]): Promise<void> {
    return this.#rpc.call("start", offers);
  }

  /** Tells the role why nothing can be admitted, or that it can again (W10). */
  tellUnavailable(why: string | null): void {
    if (why === this.#told) return;
    this.#told = why;
    void this.#rpc.call("unavailable", why);
  }

  end(why: string): void {
    this.#rpc.end(why);
  }
}

/** The other side: serves one role on a worker's thread until the thread ends. */
export function serveRole(
  port: Port, components: Components, makeWorld: (init: SentInit) => World,
): void {
  let host: RoleHost | null = null;
  let world: World | null = null;
  let unavailable: string | null = null;
  const rpc: Rpc = new Rpc(port, {
    init: async (init: SentInit): Promise<Offer> => {
      ({ unavailable } = init);
      world = makeWorld(init);
      host = new RoleHost({
        ...init, share: received(init.share, components), components, store, world,
        command: (message) => rpc.call("command", message),
      });
      return host.prepareFirst();
    },
    start: async (offers: readonly Offer[]) => {
      await host!.start(offers);
      world!.shrink();
    },
    unavailable: (why: string | null) => {
      unavailable = why;
    },
    ...Object.fromEntries(hostCalls.map((name) =>
      [name, (...args: never[]) => (host as any)[name](...args)])),
    prepare: (share: Sent<Share>, kept: Kept) =>
      host!.prepare(received(share, components), kept),
  });
  const store: StorePort = {
    get unavailable() {
      return unavailable;
    },
    intents: async (intents) => {
      const answer = await rpc.call("intents", intents);
      ({ unavailable } = answer);
      return answer.rows;
    },
    outcomes: (endings) => void rpc.call("outcomes", endings),
    refusals: (attempts) => void rpc.call("refusals", attempts),
    withheld: (refusal) => void rpc.call("withheld", refusal),
    nextArming: () => rpc.call("nextArming"),
    beginArming: (row) => rpc.call("beginArming", row),
    endArming: (number, why) => void rpc.call("endArming", number, why),
    proof: (tag) => rpc.call("proof", tag),
    saveProof: (proof) => rpc.call("saveProof", proof),
    state: Object.fromEntries(stateCalls.map((name) =>
      [name, (...args: unknown[]) => rpc.call(`state.${name}`, ...args)])) as unknown as StatePort,
  };
}
