import { Fault, formatDuration, limits, nearest, never } from "../base.ts";
import {
  dayStart, legibleId, parseCommand, refuse, refusedOutcome, sentenceOf, testCaller,
  type Refusal,
} from "../gate.ts";
import { Arena, Word } from "../ring.ts";
import { explain } from "../sql.ts";
import type { Store } from "../store.ts";
import { answerOf } from "./answer.ts";
import { Changes, type ConfigurationFile } from "./changes.ts";
import { parsed, type FromTopic } from "./commands.ts";
import { isOwn } from "./generation.ts";
import type { Components, Graph, RulePlan } from "./graph.ts";
import { breather, hostCalls, RoleHost, type HostCalls, type Offer } from "./host.ts";
import { JudgedPlaces } from "./judged.ts";
import { Latching } from "./latching.ts";
import { prune } from "./prune.ts";
import { Reach } from "./reach.ts";
import { reasonOf } from "./reason.ts";
import { RemoteRole, type RoleInit } from "./remote.ts";
import { planText } from "./memory.ts";
import { roleNames, shareOf, type RoleName } from "./share.ts";
import { localStore, pastOf, type Past } from "./store-port.ts";
import { Trial } from "./trial.ts";
import type { WatchInit } from "./watch.ts";
import type {
  AlarmView, Health, OverrideOrder, OperateRequest, ProvedView, RuleOrder, Runtime, StationView,
  TryAnswer, TryRequest, WhyView, WriteAnswer, WriteRequest,
} from "./view.ts";
import { sharers } from "./windows.ts";
import type { Thread, World } from "./world.ts";

export interface RuntimeOptions {
  readonly graph: Graph;
  readonly components: Components;
  readonly store: Store;
  readonly world: World;
  readonly version: string;
  /** Rules, models and writes stay off (W5). */
  readonly safeMode: boolean;
  /** The configuration at hand was refused; this is the last good one (W5). */
  readonly configRejected: boolean;
  /** Configuration or policy differ from those of the start before. */
  readonly configChanged: boolean;
  readonly file: ConfigurationFile;
}

/**
 * Starts one gateway: on this thread (`threads: 1`), or with a thread each for control and data.
 */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const running = new Running(options);
  await running.start();
  return running;
}

/** Characters of a sentence on record that may quote what a stranger sent. */
const sentence_max = 256;

/** A lost role; systemd shows it (sysexits.h, EX_SOFTWARE). */
const lost_exit_code = 70;

interface RunningRole {
  readonly name: RoleName;
  readonly calls: HostCalls;
  readonly remote: RemoteRole | null;
  readonly worker: Thread | null;
  /** Turn counter (W6); null on this thread, which cannot watch itself. */
  turns: Word | null;
  seen: number;
  seenAt: number;
}

/** `main`: the store, the API's questions, and the watch over the roles. */
class Running implements Runtime {
  readonly #options: RuntimeOptions;
  readonly #changes: Changes;
  readonly #latching: Latching;
  readonly #judged: JudgedPlaces;
  readonly #started: number;
  readonly #roles: RunningRole[] = [];
  /** What runs. */
  #graph: Graph;
  #planned = 0;
  #trial: Trial | null = null;
  #owners: ReadonlyMap<string, HostCalls> = new Map();
  #keeper: unknown = null;
  #healthy = false;
  #watcher: Thread | null = null;
  /** Null until the store could be read once. */
  #past: Past | null = null;
  #stopping = false;
  /** Damaged state files that were told of. */
  #setAside = 0;

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.#graph = options.graph;
    this.#started = options.world.clock.now();
    const { graph, file, store, world, safeMode, configRejected } = options;
    this.#changes = new Changes({
      graph, file, store, world,
      fixed: safeMode ? "it runs in safe mode"
        : configRejected ? "its configuration was rejected at the start" : null,
      roles: () => this.#roles.map(({ calls }) => calls),
      links: () => this.links(),
      armed: async () => (await this.#control.status()).armed,
      adopted: (next) => this.#adopt(next),
      // What is shelved stays so, also where its rule was made anew.
      switched: () => this.#restoreShelves(),
    });
    this.#judged = new JudgedPlaces(store);
    this.#latching = new Latching({
      store, world, latch: (by) => this.#control.latch(by), hashes: () => this.#hashes,
    });
  }

  async start(): Promise<void> {
    const names = roleNames(this.#graph.gateway.profile);
    const here = names.length === 1 ? await this.#startHere() : null;
    if (here === null) await this.#startThreads(names);
    this.#adopt(this.#graph);
    this.#restoreShelves();
    this.#latching.recall();
    this.#options.world.shrink();
    // What the start still did between two turns is none that it missed.
    if (here !== null) this.#watchOver(here);
    this.#keepSoon();
  }

  #adopt(graph: Graph): void {
    // Its rings may be given to others.
    this.#trial?.end("the configuration was changed");
    this.#graph = graph;
    this.#planned = planText(graph).bytes;
    this.#owners = new Map(this.#roles.flatMap(({ name: role, calls }) =>
      shareOf(graph, role).streams.map(({ name }) => [name, calls] as const)));
    this.#judged.begin(graph);
  }

  async #startHere(): Promise<Offer> {
    const { components, world, store } = this.#options;
    const host = new RoleHost({
      ...this.#beginning(), share: shareOf(this.#graph, "all"), components,
      store: localStore(store),
      world, command: (message) => this.#command(message),
    });
    const offer = await host.prepareFirst();
    await host.start([]);
    const calls = Object.fromEntries(hostCalls.map((name) =>
      [name, async (...args: unknown[]) => (host as any)[name](...args)])) as unknown as HostCalls;
    this.#roles.push(
      { name: "all", calls, remote: null, worker: null, turns: null, seen: 0, seenAt: 0 });
    return offer;
  }

  async #startThreads(names: readonly RoleName[]): Promise<void> {
    const { store, world } = this.#options;
    const graph = this.#graph;
    for (const name of names) {
      const worker = world.thread();
      const remote = new RemoteRole(worker, store, (message) => this.#command(message));
      worker.onerror = (event) => this.#lost(name, event.message);
      worker.addEventListener("close", () => this.#lost(name, "the thread ended"));
      this.#roles.push({ name, calls: remote.calls, remote, worker, turns: null, seen: 0,
        seenAt: world.clock.now() });
    }
    const init: Omit<RoleInit, "share"> = {
      kind: "role", workerUrl: world.workerUrl, directory: world.directory,
      unavailable: store.audit.unavailable,
      engineClock: world.clock.shared, ...this.#beginning(),
    };
    const offers: Offer[] = await Promise.all(this.#roles.map(({ remote, name }) =>
      remote!.offer({ ...init, share: shareOf(graph, name) })));
    await Promise.all(this.#roles.map(({ remote, name }) =>
      remote!.start(offers.filter((offer) => offer.role !== name))));
    this.#roles.forEach((role, i) => {
      const { buffer, at } = offers[i]!.turns;
      role.turns = Word.attach(Arena.attach(buffer), at);
      // What it loaded before its first turn is none that it missed.
      role.seenAt = world.clock.now();
    });
  }

  /** W6: this thread cannot see itself stand still, so a small one watches its turn counter. */
  #watchOver(offer: Offer): void {
    const watcher = this.#options.world.thread();
    watcher.unref();
    watcher.postMessage({
      kind: "watch", ...offer.turns, stall_ms_max: limits.stall_ms_max,
    } satisfies WatchInit);
    this.#watcher = watcher;
  }

  #beginning() {
    const { store, safeMode, configRejected } = this.#options;
    this.#past = this.#readPast();
    return { safeMode, configRejected, latched: store.latch.read(), past: this.#past,
      stopped: store.stoppedRules(), disabled: store.disabledDevices() };
  }

  #readPast(): Past | null {
    const { store, world } = this.#options;
    return pastOf(store, Object.keys(this.#graph.gateway.policy), dayStart(world.clock.time()));
  }

  /** The disk that refused at the start gave the store: before anybody hears that writing may. */
  #tellPast(): void {
    this.#past = this.#readPast();
    if (this.#past === null) return;
    this.#restoreShelves();
    void this.#control.past(this.#past);
  }

  /** What an operator put on the shelf stays there over a restart. */
  #restoreShelves(): void {
    const { store, world } = this.#options;
    const shelves = store.audit.shelves(world.clock.time());
    for (const { calls } of this.#roles) void calls.restoreShelves(shelves);
  }

  get #hashes(): { policyHash: string; configHash: string } {
    const { policyHash, configHash } = this.#graph.gateway;
    return { policyHash, configHash };
  }

  get #control(): HostCalls {
    return this.#roles[0]!.calls;
  }

  /**
   * A role that failed cannot be trusted to be silent: the process ends and init starts it anew.
   */
  #lost(name: RoleName, why: string): void {
    if (this.#stopping) return;
    const { world } = this.#options;
    world.log.error("run", `the ${name} thread is lost; ending`, { why });
    world.exit(lost_exit_code);
  }

  #keepSoon(): void {
    this.#keeper = this.#options.world.timers.after(limits.stall_ms_max / 4, () => {
      this.#keep();
      this.#keepSoon();
    });
  }

  /** Twice a second: store, health, clock, and the turn counters (W6). */
  #keep(): void {
    const { store, world } = this.#options;
    const now = world.clock.now();
    store.step();
    if (store.state.setAside > this.#setAside) this.#tellSetAside();
    if (this.#past === null) this.#tellPast();
    this.#judged.step();
    for (const { remote } of this.#roles) remote?.tellUnavailable(store.audit.unavailable);
    for (const role of this.#roles) this.#watch(role, now);
    if (this.#healthy || now - this.#started < limits.health_minutes * 60_000) return;
    this.#healthy = true;
    store.clearStarts();
  }

  #tellSetAside(): void {
    const { store, world } = this.#options;
    this.#setAside = store.state.setAside;
    world.log.error("state", "state.sqlite was damaged: it is kept as state.sqlite.damaged, and " +
      "rules that were to go on from it start cold");
  }

  #watch(role: RunningRole, now: number): void {
    if (role.turns === null) return;
    const turns = role.turns.get();
    if (turns !== role.seen) {
      role.seen = turns;
      role.seenAt = now;
    } else if (now - role.seenAt > limits.stall_ms_max) {
      this.#lost(role.name, `no turn for ${limits.stall_ms_max} ms`);
    }
  }

  async #command(message: FromTopic): Promise<string> {
    // W4: disarming is possible from everywhere and needs no right; lifting it is not.
    const { topic, link } = this.#graph.gateway.commands!;
    if ("disarm" in message) {
      const { latched, trouble } = await this.disarm(
        { by: message.disarm, origin: "mqtt", from: link });
      return JSON.stringify({ latched, trouble });
    }
    const { text, retained, duplicate } = message.command;
    const long = { problem: `it is longer than ${limits.command_bytes_max} characters` };
    return JSON.stringify(await this.write({
      origin: "mqtt", by: topic, from: link, retained, duplicate,
      body: text === null ? null : parsed(text), ...(text === null ? long : {}),
    }));
  }

  /** W17: a command from REST, MQTT or the command line; the answer is its outcome. */
  async write(request: WriteRequest): Promise<WriteAnswer> {
    const { store, world: { clock } } = this.#options;
    const { origin, by, from, body, problem, authenticated = true, authorised = true } = request;
    const stranger = testCaller({ authenticated, authorised, by });
    if (stranger !== null) return this.#unread(request, stranger);
    if (problem !== undefined) return this.#unread(request, refuse("malformed", { problem }));
    const [now, time] = [clock.now(), clock.time()];
    const command = parseCommand(body, {
      origin, by, from, authenticated, authorised, now, time,
      retained: request.retained ?? false, duplicate: request.duplicate ?? false,
      claim: (id) => store.audit.claim(id),
    });
    if ("admit" in command) return this.#unread(request, command);
    const { outcome, refusal, means } = await this.#control.take(command);
    return answerOf(command.id, command.tag, outcome, refusal, means);
  }

  /** W21: what is no command of anybody's has a row a code and source, however often it comes. */
  #unread({ origin, by, from, body }: WriteRequest, refusal: Refusal): WriteAnswer {
    const { store, world: { clock } } = this.#options;
    const { policyHash, configHash } = this.#graph.gateway;
    const { code } = refusal;
    const sentence = refusal.sentence.slice(0, sentence_max);
    store.audit.withheld({
      origin, who: by, source: from, tag: "", code, sentence, time: clock.time(), policyHash,
      configHash,
    });
    return answerOf(legibleId(body), null, refusedOutcome(code), refusal, null);
  }

  async health(): Promise<Health> {
    const { store, safeMode, configRejected, configChanged, version, world } = this.#options;
    const { gateway } = this.#graph;
    const roles = await Promise.all(this.#roles.map(({ calls }) => calls.status()));
    const { unavailable } = store.audit;
    const troubles = [...(safeMode ? [sentenceOf("safe-mode", {})] : []),
      ...roles.flatMap(troublesOf),
      ...(unavailable === null ? [] : [`audit: ${unavailable}`]),
      ...(store.state.trouble === null ? [] : [this.#stateTrouble(store.state.trouble)])];
    return {
      status: configRejected ? "config-rejected" : safeMode ? "safe-mode"
        : troubles.length > 0 ? "degraded" : "ok",
      gateway: gateway.id, simulated: gateway.simulated === true, version,
      profile: gateway.profile.name,
      uptime_ms: world.clock.now() - this.#started, epoch: store.epoch,
      configHash: gateway.configHash, policyHash: gateway.policyHash, configChanged,
      writing: {
        latched: store.latch.read() !== null, armed: roles.flatMap((role) => role.armed),
        audit: unavailable === null ? "ok" : "unavailable",
      },
      clockSynced: world.clockSynced(), timeCertain: roles.every((role) => role.timeCertain),
      clockSteps: Math.max(...roles.map((role) => role.clockSteps)), troubles,
      lost: Object.assign({}, ...roles.map((role) => role.lost),
        store.audit.lost > 0 ? { audit: store.audit.lost } : {}),
      state: roles.find(({ durability }) => durability !== null)?.durability ?? null,
      memory: {
        rss: process.memoryUsage.rss(), planned: this.#planned,
        budget: gateway.profile.memoryMB * 2 ** 20,
      },
      unconfirmed: this.#changes.unconfirmed,
      turns: roles.reduce((sum, role) => sum + role.turns, 0),
      turn_ms_max: Math.max(...roles.map((role) => role.longest)),
      turn_lengths: Object.fromEntries(this.#roles.map(({ name }, i) => [name, roles[i]!.lengths])),
    };
  }

  #stateTrouble(why: string): string {
    const waiting = this.#options.graph.streams.filter(({ journal }) => journal !== null);
    const names = waiting.map(({ name }) => name).join(", ");
    return `state: ${why}` + (names === "" ? "" : `; nothing of ${names} is acknowledged`);
  }

  async links() {
    const roles = await Promise.all(this.#roles.map(({ calls }) => calls.status()));
    return roles.flatMap((role) => role.links);
  }

  /** Traffic of a link to equipment past number `after`: kept while somebody goes on asking. */
  async frames(link: string, after: number) {
    const frames = await this.#control.frames(link, after);
    if (frames !== null) return frames;
    const names = (await this.links()).map(({ name }) => name);
    const close = nearest(link, names);
    throw new Fault("unknown-link", names.includes(link)
      ? `${link} is no link to equipment; only their frames are shown`
      : `There is no link ${link}${close === null ? "" : `; did you mean ${close}?`}`, { link });
  }

  async devices() {
    return this.#control.devices();
  }

  async device(name: string) {
    this.#testDevice(name);
    return this.#control.device(name);
  }

  async streams() {
    return (await Promise.all(this.#roles.map(({ calls }) => calls.streams()))).flat();
  }

  async latest(stream: string) {
    const owner = this.#owners.get(stream);
    if (owner !== undefined) return owner.latest(stream);
    const close = nearest(stream, this.#owners.keys());
    throw new Fault("unknown-stream", `There is no stream ${stream}` +
      (close === null ? "" : `; did you mean ${close}?`), { name: stream });
  }

  async tables() {
    return (await Promise.all(this.#roles.map(({ calls }) => calls.tables()))).flat();
  }

  async rules() {
    return (await Promise.all(this.#roles.map(({ calls }) => calls.rules()))).flat();
  }

  async rule({ rule, order, by }: RuleOrder): Promise<void> {
    const { store, world: { clock } } = this.#options;
    if (this.#ruleOf(rule) === undefined) throw this.#unknownRule(rule);
    await this.#owners.get(rule)!.rule({ rule, order, by });
    // A power cut must not start what a person stopped.
    if (order === "stop") store.stopRule(rule, by);
    else if (order !== "reset") store.startRule(rule);
    // It begins from nothing, but what a person put on the shelf is no state of the rule's.
    if (order !== "stop") this.#restoreShelves();
    store.audit.note({
      origin: `rule:${rule}`, who: by, source: "", code: `rule-${order}`, asked: null,
      time: clock.time(), monotonic: clock.now(), sentence: `The rule ${rule}: ${order}.`,
      ...this.#hashes,
    });
  }

  async override(order: OverrideOrder): Promise<void> {
    const { store, world: { clock } } = this.#options;
    if ("device" in order) this.#testDevice(order.device);
    await this.#control.override(order);
    if (order.kind === "disable") store.disableDevice(order.device, order.by);
    if (order.kind === "enable") store.enableDevice(order.device);
    store.audit.note({
      origin: "device" in order ? `device:${order.device}` : `tag:${order.tag}`, who: order.by,
      source: "", code: order.kind, time: clock.time(), monotonic: clock.now(),
      asked: order.kind === "force" ? JSON.stringify(order.value) : null,
      sentence: sentenceOfOrder(order), ...this.#hashes,
    });
  }

  #testDevice(name: string): void {
    const names = this.#graph.gateway.devices.map((device) => device.name);
    if (names.includes(name)) return;
    const close = nearest(name, names);
    throw new Fault("unknown-device", `There is no device ${name}` +
      (close === null ? "" : `; did you mean ${close}?`), { device: name });
  }

  async explain(name: string): Promise<string> {
    const plan = this.#ruleOf(name);
    if (plan === undefined) throw this.#unknownRule(name);
    return explain(plan.program, sharers(this.#graph.rules, plan));
  }

  #ruleOf(name: string): RulePlan | undefined {
    return this.#graph.rules.find(({ rule }) => rule.name === name);
  }

  #unknownRule(name: string): Fault {
    const close = nearest(name, this.#graph.rules.map(({ rule }) => rule.name));
    return new Fault("unknown-rule",
      `There is no rule ${name}${close === null ? "" : `; did you mean ${close}?`}`, { name });
  }

  async tag(id: string) {
    return this.#control.tag(id);
  }

  async why(id: string): Promise<WhyView> {
    const { configChanged, safeMode } = this.#options;
    const graph = this.#graph;
    const [tag, gate, links] = await Promise.all([this.#control.tag(id),
      this.#control.decision(id), this.links()]);
    const device = graph.gateway.devices.find(({ name }) => id.startsWith(`${name}.`))!;
    const link = links.find((l) => l.name === device.link)!;
    const station = link.stations.find((s) => s.station === device.station);
    const reach = new Reach(new Map(graph.rules.map((plan) => [plan.rule.name, plan])), id);
    const { refusals, lastError = "", ...own } = link;
    return {
      tag, device: device.name, gate,
      link: { ...own, lastError: refusals?.[id] ?? lastError,
        stations: station === undefined ? [] : [station] },
      lastFrame_ms: station?.lastGood_ms ?? null,
      reason: reasonOf(tag, link, station,
        graph.links.find((plan) => plan.link.name === device.link)!),
      rules: graph.rules.filter((r) => reach.isOf(r.program)).map((r) => r.rule.name),
      writers: graph.rules.flatMap(({ rule }) => rule.to.flatMap((target) =>
        (target.kind === "write" && target.tag === id ? [`${rule.name}.${target.from}`] : []))),
      configHash: graph.gateway.configHash, policyHash: graph.gateway.policyHash, configChanged,
      off: safeMode ? sentenceOf("safe-mode", {}) : null,
    };
  }

  async alarms() {
    const all = (await Promise.all(this.#roles.map(({ calls }) => calls.alarms()))).flat();
    return all.sort((a, b) => (a.alarm < b.alarm ? -1 : 1));
  }

  /** Done first, as that is what matters to the operator; what has no row of it is told. */
  async operate({ by, origin, from, ...act }: OperateRequest): Promise<AlarmView> {
    const found = (await Promise.all(this.#roles.map(({ calls }) => calls.operate(act))))
      .find((state) => state !== null);
    if (found === undefined || found === null) throw await this.#noAlarm(act.alarm);
    const { store, world: { clock, log }, graph: { gateway } } = this.#options;
    log.info("alarm", `${act.act} ${act.alarm}`, { by });
    const recorded = store.audit.act({
      alarm: act.alarm, act: act.act, until: act.act === "shelve" ? found.shelvedUntil ?? 0 : 0,
      origin, who: by, source: from, time: clock.time(), configHash: gateway.configHash,
    });
    if (recorded) return found;
    throw new Fault("audit-unavailable",
      `Done, but it is not on record: ${store.audit.unavailable}`);
  }

  async #noAlarm(alarm: string): Promise<Fault> {
    const known = (await this.alarms()).map((state) => state.alarm);
    const close = nearest(alarm, known) ?? known.find((name) => name.startsWith(`${alarm}.`));
    return new Fault("unknown-alarm", `There is no alarm ${alarm}` +
      `${close === undefined ? "" : `; did you mean ${close}?`}`, { alarm });
  }

  proof: Runtime["proof"] = (tag, value) => this.#control.proof(tag, value);
  arm: Runtime["arm"] = (request) => this.#control.arm(request);

  prove: Runtime["prove"] = async (request) => {
    const { id, tag } = request;
    const claim = this.#options.store.audit.claim(id);
    const { outcome, refusal, means } = await this.#control.prove(request, claim);
    return answerOf(id, tag, outcome, refusal, means);
  };

  async proved(): Promise<ProvedView[]> {
    const paths = await this.#control.paths();
    return this.#options.store.audit.proved().map(({ hash, ...proof }) => {
      const path = paths[proof.tag];
      return { ...proof, present: path === null ? null : path === hash };
    });
  }

  disarm: Runtime["disarm"] = (request) =>
    (request.clear === true ? this.#latching.lift(request) : this.#latching.disarm(request));

  async audit(query: Parameters<Runtime["audit"]>[0]): Promise<Record<string, unknown>[]> {
    return this.#options.store.audit.query(query) as unknown as Record<string, unknown>[];
  }

  prune: Runtime["prune"] = (request) => {
    const { store, world } = this.#options;
    return prune(store, world, this.#graph.gateway, request);
  };

  async try(request: TryRequest): Promise<TryAnswer> {
    if (this.#trial !== null) {
      throw new Fault("try-busy", "Another rule is being tried: one at a time", {});
    }
    const { components, world } = this.#options;
    const trial = this.#trial = new Trial(this.#graph, components, request, world);
    try {
      if (request.rows !== null) return await trial.runGiven(request.rows, breather(world));
      const places = (await Promise.all(this.#roles.map(({ calls }) => calls.places()))).flat();
      return await trial.runLive(places.filter(({ stream }) => trial.streams.includes(stream)));
    } finally {
      this.#trial = null;
    }
  }

  plan: Runtime["plan"] = ({ texts, name }) => this.#changes.plan(texts, name);
  apply: Runtime["apply"] = (request) => this.#changes.apply(request);
  confirm: Runtime["confirm"] = ({ by, back }) =>
    (back === true ? this.#changes.goBack(by) : this.#changes.confirm(by));

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#changes.stop();
    this.#watcher?.terminate();
    for (const { calls } of this.#roles) await calls.stop();
    this.#options.world.timers.clear(this.#keeper);
    for (const { worker } of this.#roles) worker?.terminate();
  }
}

function sentenceOfOrder(order: OverrideOrder): string {
  switch (order.kind) {
    case "disable": return `The device ${order.device} is left alone.`;
    case "enable": return `The device ${order.device} is asked again.`;
    case "force": return `${order.tag} is forced to ${JSON.stringify(order.value)} for ` +
      `${formatDuration(order.for_ms)}.`;
    case "unforce": return `${order.tag} is forced no longer.`;
    default: return never(order, "override");
  }
}

/** It does not answer, or has refused all that it was ever asked. */
const isInTrouble = ({ failures, exceptions, lastGood_ms }: StationView): boolean =>
  failures > 0 || (exceptions > 0 && lastGood_ms === null);

function troublesOf(role: Awaited<ReturnType<HostCalls["status"]>>): string[] {
  return [
    ...role.overrides,
    ...role.links.filter((link) => link.state !== "open")
      .map(({ name, reason }) => `${isOwn(name) ? "" : "link "}${name}: ${reason}`),
    ...role.links.flatMap((link) => link.stations.filter(isInTrouble)
      .map(({ station, reason, advice }) => `link ${link.name} station ${station}: ${reason}` +
        (advice === "" ? "" : `: ${advice}`))),
    ...role.refused.map(([name, why]) => `${name}: ${why}`),
    ...role.failed,
  ];
}
