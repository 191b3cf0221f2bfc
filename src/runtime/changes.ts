import { Fault, limits, reason } from "../base.ts";
import type { Store } from "../store.ts";
import { keptOf } from "./change.ts";
import type { Forecast } from "./forecast.ts";
import type { Graph } from "./graph.ts";
import type { HostCalls, Offer } from "./host.ts";
import { roleNames, shareOf } from "./share.ts";
import { pastOf } from "./store-port.ts";
import { dayStart } from "../gate.ts";
import type {
  ApplyRequest, ChangeAnswer, ConfigTexts, LinkView, Unconfirmed,
} from "./view.ts";
import type { World } from "./world.ts";

/** The configuration's file, as the command line has it. */
export interface ConfigurationFile {
  /** What runs, and what a restart would load. */
  readonly texts: ConfigTexts;
  /** Works texts out as if they stood in the file; `name` is what problems call it. */
  examine(texts: ConfigTexts, name: string | null): Promise<{
    readonly graph: Graph | null; readonly texts: readonly string[];
  }>;
  /** From now on a restart loads these; throws if the disk does not take them. */
  keep(texts: ConfigTexts): void;
}

export interface ChangesOptions {
  readonly graph: Graph;
  readonly file: ConfigurationFile;
  readonly store: Store;
  readonly world: World;
  /** Why nothing can be changed while it runs, or null: safe mode, a rejected configuration. */
  readonly fixed: string | null;
  /** In the order of `roleNames`, once they run. */
  roles(): readonly HostCalls[];
  links(): Promise<readonly LinkView[]>;
  armed(): Promise<readonly string[]>;
  /** Another graph runs. */
  adopted(graph: Graph): void;
  /** All roles run it. */
  switched(): void;
}

/** A configuration that runs or ran, and its texts. */
interface Version {
  readonly graph: Graph;
  readonly texts: ConfigTexts;
}

/** Going back waits for a command that is under way, so often and no longer. */
const back_tries_max = 5;
const back_again_ms = 1000;
/** Init starts it anew, with the configuration of before (sysexits.h, EX_SOFTWARE). */
const stuck_exit_code = 70;

/**
 * Changes of the configuration while it runs: looks ahead, builds the new generation beside the
 * one that runs, switches, and goes back by itself unless somebody confirms. Until then the file,
 * and so a restart, has the configuration of before.
 */
export class Changes {
  readonly #options: ChangesOptions;
  #runs: Version;
  /** What going back leads to, while a change waits for its confirmation. */
  #before: (Version & { readonly by: string; readonly until: number }) | null = null;
  #timer: unknown = null;
  #busy = false;

  constructor(options: ChangesOptions) {
    this.#options = options;
    this.#runs = { graph: options.graph, texts: options.file.texts };
  }

  get unconfirmed(): Unconfirmed | null {
    if (this.#before === null) return null;
    const { by, until, graph } = this.#before;
    return { by, until, before: graph.gateway.configHash };
  }

  /** What other texts would do; a Fault with their problems if they are wrong. */
  async plan(texts: ConfigTexts, name: string | null): Promise<Forecast> {
    return this.#forecast(await this.#examined(texts, name));
  }

  async apply({ texts, name, by, confirm_ms }: ApplyRequest): Promise<ChangeAnswer> {
    return this.#alone(async () => {
      const { fixed, store, world } = this.#options;
      if (fixed !== null) throw restartNeeded([fixed]);
      if (this.#before !== null) {
        throw new Fault("unconfirmed", "The change before is not confirmed yet: say tagwerk " +
          "confirm, or tagwerk confirm --back", {});
      }
      const { unavailable } = store.audit;
      if (unavailable !== null) {
        throw new Fault("audit-unavailable", `The audit cannot be written: ${unavailable}`, {});
      }
      const graph = await this.#examined(texts, name);
      const ahead = await this.#forecast(graph);
      if (ahead.restart.length > 0) throw restartNeeded(ahead.restart);
      const before = this.#runs;
      await this.#switch({ graph, texts }, `changed by ${by}`);
      this.#record("changed", by, before.graph, graph);
      if (confirm_ms === null) {
        await this.#keepOrGoBack(before, by);
        return { forecast: ahead, unconfirmed: null };
      }
      this.#before = { ...before, by, until: world.clock.time() + confirm_ms };
      this.#timer = world.timers.after(confirm_ms, () => void this.#expire(back_tries_max));
      return { forecast: ahead, unconfirmed: this.unconfirmed };
    });
  }

  /** The change stays: from now on a restart loads it too. */
  async confirm(by: string): Promise<void> {
    await this.#alone(async () => {
      const before = this.#waiting();
      this.#keep();
      this.#settled();
      this.#record("confirmed", by, before.graph, this.#runs.graph);
    });
  }

  /** The configuration of before runs again. */
  async goBack(by: string): Promise<void> {
    await this.#alone(async () => {
      const before = this.#waiting();
      const { graph } = this.#runs;
      await this.#switch(before, `taken back by ${by}`);
      this.#settled();
      this.#record("taken-back", by, graph, before.graph);
    });
  }

  stop(): void {
    this.#options.world.timers.clear(this.#timer);
  }

  #waiting(): Version {
    if (this.#before !== null) return this.#before;
    throw new Fault("nothing-to-confirm", "No change waits for a confirmation", {});
  }

  #settled(): void {
    this.#options.world.timers.clear(this.#timer);
    this.#before = null;
  }

  /** Nobody confirmed in time. If there is no way back but a restart, then by that. */
  async #expire(tries: number): Promise<void> {
    const { world } = this.#options;
    try {
      await this.goBack("nobody confirmed it in time");
    } catch (thrown) {
      world.log.error("change", "cannot go back yet", { reason: reason(thrown) });
      if (this.#before === null) return;
      if (tries === 0) return world.exit(stuck_exit_code);
      this.#timer = world.timers.after(back_again_ms, () => void this.#expire(tries - 1));
    }
  }

  async #examined(texts: ConfigTexts, name: string | null): Promise<Graph> {
    const { graph, texts: problems } = await this.#options.file.examine(texts, name);
    if (graph !== null) return graph;
    throw new Fault("config-wrong", problems.join("\n\n"), { problems: problems.length });
  }

  async #forecast(graph: Graph): Promise<Forecast> {
    const { roles, links, armed } = this.#options;
    const [present, tags, free] = await Promise.all(
      [links(), armed(), Promise.all(roles().map((role) => role.free()))]);
    // The configuration's schemas, which it needs, are large: each thread has a copy.
    const { forecast } = await import("./forecast.ts");
    return forecast(this.#runs.graph, graph, { links: present, armed: tags, free });
  }

  /** Nothing has changed if this throws, but tags that were disarmed stay so. */
  async #switch(version: Version, why: string): Promise<void> {
    const { store, world, adopted } = this.#options;
    const { graph } = version;
    const roles = this.#options.roles();
    const kept = keptOf(this.#runs.graph, graph);
    const names = roleNames(graph.gateway.profile);
    let offers: Offer[];
    try {
      offers = await allOf(roles.map((role, i) => role.prepare(shareOf(graph, names[i]!), kept)));
      for (const role of roles) {
        if (await role.quiesce(`the configuration was ${why}`)) continue;
        throw new Fault("busy", "A write to a tag that the change touches did not end within " +
          `${limits.disarm_ms_max} ms; nothing was changed, try again`, {});
      }
    } catch (thrown) {
      await Promise.all(roles.map((role) => role.abandon()));
      throw asRefusal(thrown);
    }
    adopted(graph);
    this.#runs = version;
    const past = pastOf(store, Object.keys(graph.gateway.policy), dayStart(world.clock.time()));
    await Promise.all(roles.map((role, i) =>
      role.begin(offers.filter((offer) => offer.role !== offers[i]!.role), past)));
    await Promise.all(roles.map((role) => role.release()));
    world.shrink();
    this.#options.switched();
    world.log.info("change", `the configuration was ${why}`, { hash: graph.gateway.configHash });
  }

  /** A change that a restart would undo without a word is none. */
  async #keepOrGoBack(before: Version, by: string): Promise<void> {
    try {
      this.#keep();
    } catch (thrown) {
      const { graph } = this.#runs;
      await this.#switch(before, "taken back, as it could not be kept");
      this.#record("taken-back", by, graph, before.graph);
      throw thrown;
    }
  }

  #keep(): void {
    const { graph: { gateway: { configHash, policyHash } }, texts } = this.#runs;
    try {
      this.#options.file.keep(texts);
    } catch (thrown) {
      throw new Fault("not-kept", "The configuration's file could not be written " +
        `(${reason(thrown)}), so a restart would load the one of before`, {});
    }
    this.#options.store.saveGood({ ...texts, configHash, policyHash });
  }

  /** W21: who changed what judges the rows that follow. */
  #record(code: string, by: string, from: Graph, to: Graph): void {
    const { store, world: { clock } } = this.#options;
    const [before, after] = [from.gateway, to.gateway];
    store.audit.note({
      origin: "config", who: by, source: "", code, time: clock.time(), monotonic: clock.now(),
      configHash: after.configHash, policyHash: after.policyHash, asked: null,
      sentence: `Configuration ${before.configHash} was replaced by ${after.configHash}, policy ` +
        `${before.policyHash} by ${after.policyHash}.`,
    });
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy) {
      throw new Fault("changing", "A change of the configuration is under way: ask again", {});
    }
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }
}

/** Waits for every one, also if one fails: what was begun must have ended before it is given up. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const ended = await Promise.allSettled(promises);
  return ended.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
}

function restartNeeded(why: readonly string[]): Fault {
  return new Fault("restart-needed", `Restart needed: ${why.join("; ")}`, { why: why.join("; ") });
}

/** Room that the sum promised and the arena's holes did not give. */
function asRefusal(thrown: unknown): unknown {
  return thrown instanceof Fault && thrown.code === "arena-full"
    ? restartNeeded([thrown.message]) : thrown;
}
