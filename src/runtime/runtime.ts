import { readFile } from "node:fs/promises";
import { clockSynced } from "../base/os.ts";
import { createTcpWire } from "../driver.ts";
import { dayOf, type Box } from "../gate.ts";
import { loadOnnx } from "../infer.ts";
import { explain } from "../sql.ts";
import { limits, Fault, type Clock, type Log } from "../base.ts";
import type { Store } from "../store.ts";
import type { Components, Graph } from "./graph.ts";
import { Inspector } from "./inspect.ts";
import { Loop } from "./loop.ts";
import { Role, type World } from "./role.ts";
import { SerialPort } from "./serial.ts";
import type { Health, Runtime, WhyView } from "./view.ts";
import { Writing } from "./writing.ts";

export interface RuntimeOptions {
  readonly graph: Graph;
  readonly components: Components;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** Rules, models and writes stay off (DESIGN §10). */
  readonly safeMode: boolean;
  /** The configuration at hand was refused; this is the last good one (W5). */
  readonly configRejected: boolean;
  /** Configuration or policy differ from those of the start before. */
  readonly configChanged: boolean;
  readonly planned: number;
  spawnWorker(): Worker;
}

/** Starts one gateway on this thread (`threads: 1`); serial links have workers of their own. */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const running = new Running(options);
  await running.start();
  return running;
}

class Running implements Runtime {
  readonly #options: RuntimeOptions;
  readonly #role: Role;
  readonly #loop: Loop;
  readonly #inspector: Inspector;
  readonly #started: number;
  #writing: Writing | null = null;
  #storeAt = 0;
  #healthy = false;

  constructor(options: RuntimeOptions) {
    const { graph, components, clock } = options;
    this.#options = options;
    this.#started = clock.now();
    this.#loop = new Loop(clock, this);
    this.#role = new Role({
      graph, components, world: this.#world(), rules: !options.safeMode, wake: this.#loop.wake,
      pathEnded: (link, why) => this.#writing?.pathEnded(link, why),
    });
    this.#inspector = new Inspector(graph, this.#role);
  }

  async start(): Promise<void> {
    const { graph, store, safeMode, configRejected, clock, log } = this.#options;
    await this.#role.start();
    const box: Box = {
      safeMode, configRejected, latched: store.latch.read(), auditTrouble: store.audit.unavailable,
      clockTrusted: this.#clockTrusted(), day: dayOf(clock.time()),
      deadline_ms_max: limits.deadline_ms_max,
    };
    this.#writing = new Writing(graph, this.#role, store, box, { clock, log }, this.#loop.wake);
    this.#role.seal();
    if (box.latched !== null) await this.#writing.latch(box.latched);
    this.#startCommands();
    this.#loop.wake();
  }

  turn(now: number, time: number): number {
    const deadline = this.#role.turn(now, time);
    this.#keep(now);
    return Math.min(deadline, this.#writing?.step(now, time) ?? Infinity);
  }

  /** The store once a second; a run without trouble for long enough clears the record of starts. */
  #keep(now: number): void {
    if (now < this.#storeAt) return;
    this.#storeAt = now + 1000;
    this.#options.store.step();
    if (this.#healthy || now - this.#started < limits.health_minutes * 60_000) return;
    this.#healthy = true;
    this.#options.store.clearStarts();
  }

  #world(): World {
    const { clock, log, spawnWorker } = this.#options;
    return {
      clock, log,
      wire: (link, _driver, events) => createTcpWire(link.settings as never, events),
      serial: (plan, rings, events) => new SerialPort(plan, rings, events,
        { log, spawn: spawnWorker, now: () => clock.now() }),
      loadModel: loadOnnx,
      readModel: async (path) => new Uint8Array(await readFile(path)),
    };
  }

  #clockTrusted(): boolean {
    return this.#options.graph.gateway.profile.clock === "trusted" || clockSynced();
  }

  /** W17: commands by MQTT, only where the configuration names a topic. */
  #startCommands(): void {
    const { commands } = this.#options.graph.gateway;
    if (commands === null) return;
    const connection = this.#role.connections.get(commands.link);
    const reply = connection?.commands?.(commands.topic, async (message) => {
      const { text, retained, duplicate } = message;
      const answer = await this.write({
        origin: "mqtt", by: commands.topic, from: commands.link, body: parseBody(text),
        retained, duplicate,
      });
      reply?.(`${commands.topic}/reply`, JSON.stringify(answer));
    });
  }

  async health(): Promise<Health> {
    const { graph, store, safeMode, configRejected, configChanged, version, clock } = this.#options;
    const { gateway } = graph;
    const writing = this.#writing!;
    const troubles = this.#troubles();
    return {
      status: configRejected ? "config-rejected" : safeMode ? "safe-mode"
        : troubles.length > 0 ? "degraded" : "ok",
      gateway: gateway.id, profile: gateway.profile.name, version,
      uptime_ms: clock.now() - this.#started, epoch: store.epoch,
      configHash: gateway.configHash, policyHash: gateway.policyHash, configChanged,
      writing: {
        latched: writing.box.latched !== null, armed: writing.armed,
        audit: store.audit.unavailable === null ? "ok" : "unavailable",
      },
      clockSynced: clockSynced(), clockSteps: clock.steps, troubles,
      memory: { rss: process.memoryUsage.rss(), planned: this.#options.planned,
        budget: gateway.profile.memoryMB * 2 ** 20 },
      turns: this.#loop.turns, turn_ms_max: this.#loop.longest,
    };
  }

  #troubles(): string[] {
    const links = this.#inspector.links(this.#options.clock.now())
      .filter((link) => link.state !== "open").map((link) => `link ${link.name}: ${link.reason}`);
    const stations = this.#inspector.links(this.#options.clock.now()).flatMap((link) =>
      link.stations.filter((s) => s.failures > 0)
        .map((s) => `link ${link.name} station ${s.station}: ${s.reason}`));
    const rules = this.#role.rules.filter((rule) => rule.state === "failed")
      .map((rule) => `rule ${rule.name}: ${rule.reason}`);
    const refused = [...this.#role.refused].map(([name, why]) => `${name}: ${why}`);
    const trouble = this.#options.store.audit.unavailable;
    return [...links, ...stations, ...rules, ...refused,
      ...(trouble === null ? [] : [`audit: ${trouble}`])];
  }

  async links() {
    return this.#inspector.links(this.#options.clock.now());
  }

  async devices() {
    const { clock } = this.#options;
    return this.#inspector.devices(clock.now(), clock.time());
  }

  async streams() {
    return this.#inspector.streams();
  }

  async latest(stream: string) {
    return this.#inspector.latest(stream);
  }

  async rules() {
    return this.#inspector.rules();
  }

  async explain(name: string): Promise<string> {
    const plan = this.#options.graph.rules.find((r) => r.rule.name === name);
    if (plan === undefined) throw new Fault("unknown-rule", `There is no rule ${name}`, { name });
    return explain(plan.program);
  }

  async tag(id: string) {
    return this.#inspector.tag(id, this.#options.clock.time());
  }

  async why(id: string): Promise<WhyView> {
    const { graph, clock, configChanged } = this.#options;
    const { device } = this.#inspector.place(id);
    const tag = this.#inspector.tag(id, clock.time());
    const link = this.#inspector.links(clock.now()).find((l) => l.name === device.link);
    if (link === undefined) throw new Fault("link-closed", `The link ${device.link} is kept closed`);
    const station = link.stations.find((s) => s.station === device.station);
    return {
      tag, device: device.name, link: { ...link, stations: link.stations.filter((s) => s === station) },
      lastFrame_ms: station?.lastGood_ms ?? null,
      reason: reasonOf(tag.quality, link.state, link.reason, station?.reason ?? "never asked"),
      rules: graph.rules.filter((r) => r.reads.has(id)).map((r) => r.rule.name),
      gate: this.#writing!.lanes.get(id)?.last ?? null,
      configHash: graph.gateway.configHash, policyHash: graph.gateway.policyHash, configChanged,
    };
  }

  write: Runtime["write"] = (request) => this.#writing!.write(request);
  proof: Runtime["proof"] = (tag) => this.#writing!.proof(tag);
  arm: Runtime["arm"] = (request) => this.#writing!.arm(request);

  async disarm({ by, clear }: { by: string; clear?: boolean }): Promise<{ latched: boolean }> {
    const { store } = this.#options;
    if (clear === true) {
      store.latch.clear();
      await this.#writing!.latch(null);
      this.#options.log.warn("gate", "the latch was lifted", { by });
      return { latched: false };
    }
    // The file first: if this process ends now, the next one starts latched (W4).
    store.latch.set(by);
    this.#options.log.warn("gate", "disarmed", { by });
    await this.#writing!.latch(by);
    return { latched: true };
  }

  async audit(query: Parameters<Runtime["audit"]>[0]): Promise<Record<string, unknown>[]> {
    return this.#options.store.audit.query(query) as unknown as Record<string, unknown>[];
  }

  async stop(): Promise<void> {
    await this.#writing!.stop();
    this.#loop.stop();
    await this.#role.stop();
  }
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    // The gate answers that a text is no command; what it was does not matter.
    return thrown instanceof SyntaxError ? text : null;
  }
}

function reasonOf(quality: string, state: string, why: string, station: string): string {
  if (quality === "good") return "the last poll read it";
  if (state !== "open") return `the link is ${state}: ${why}`;
  return station === "good" ? `the poll gave ${quality}` : `the station's last exchange: ${station}`;
}
