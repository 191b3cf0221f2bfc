import { Fault } from "../../src/base.ts";
import type { Health, LinkView, Runtime, WriteAnswer } from "../../src/runtime.ts";

/** A runtime that answers from memory and keeps what it was asked. */
export class FakeRuntime implements Runtime {
  readonly asked: { readonly what: string; readonly given: unknown }[] = [];
  status: Health["status"] = "ok";
  outcome: WriteAnswer["outcome"] = "verified";
  links_: LinkView[] = [link("plc-1", { requests: 7, roundTrip: 2 }),
    link('odd "name"\\\n', { requests: 1, timeouts: 3 })];

  async health(): Promise<Health> {
    return {
      status: this.status, gateway: "press-line-7", profile: "generic-512mb", version: "0",
      uptime_ms: 1500, epoch: 3, configHash: "c", policyHash: "p", configChanged: false,
      writing: { latched: false, armed: ["press.setpoint"], audit: "ok" },
      simulated: false, clockSynced: true, timeCertain: true, clockSteps: 0, troubles: [], lost: {},
      state: null,
      memory: { rss: 70e6, planned: 33e6, budget: 224e6 },
      unconfirmed: null, turns: 12, turn_ms_max: 2.5,
      turn_lengths: { all: [10, 1, 1, 0, 0, 0, 0, 0, 0, 0] },
    };
  }

  async links(): Promise<LinkView[]> {
    return this.links_;
  }

  async override(given: unknown) {
    this.asked.push({ what: "override", given });
  }

  async frames() {
    return [{ n: 1, time: 1000, dir: "tx" as const, hex: "0103", text: null }];
  }

  async devices() {
    return [{ name: "press", link: "plc-1", station: 1, labels: {}, state: "good", tags: [tag] }];
  }

  async device(name: string) {
    const device = (await this.devices()).find((one) => one.name === name);
    if (device === undefined) throw new Fault("unknown-device", `There is no device ${name}`);
    return device;
  }

  async streams() {
    return [{ name: "press.fast", from: "group" as const, columns: [], rows: 1, capacity: 16,
      interval_ms: 100, source: null }];
  }

  async latest(stream: string) {
    if (stream !== "press.fast") throw new Fault("unknown-stream", `There is no stream ${stream}`);
    return { stream, sequence: 4, time: 1000, values: { level: 2 }, quality: {} };
  }

  async tables() {
    return [];
  }

  async rules() {
    return [{ name: "hold", sql: "SELECT 1", state: "running", reason: "", rows_in: 5, rows_out: 4,
      errors: 0, lost: 0, evicted: 0, late: 0, early: 0, failures: 0, targets: [] }];
  }

  async rule(given: unknown) {
    this.asked.push({ what: "rule", given });
  }

  async explain(rule: string) {
    return `plan of ${rule}`;
  }

  async tag(id: string) {
    if (id !== tag.id) throw new Fault("unknown-tag", `There is no tag ${id}`);
    return tag;
  }

  async why(id: string) {
    return { tag: await this.tag(id), device: "press", link: this.links_[0]!, lastFrame_ms: 5,
      reason: "", rules: [], writers: [], off: null, gate: null, configHash: "c", policyHash: "p",
      configChanged: false };
  }

  async write(given: unknown): Promise<WriteAnswer> {
    this.asked.push({ what: "write", given });
    return { id: "a", tag: tag.id, outcome: this.outcome, code: null, text: "", value: null,
      readBack: null };
  }

  async proof(given: string) {
    this.asked.push({ what: "proof", given });
    return { tag: given, hash: "h", peer: "x", raw: "0001", value: 1, eu: null, orders: {},
      broadcast: null };
  }

  async arm(given: { tag: string }) {
    this.asked.push({ what: "arm", given });
    return { tag: given.tag, number: 1, until: 2 };
  }

  async prove(given: { id: string; tag: string }) {
    this.asked.push({ what: "prove", given });
    return { id: given.id, tag: given.tag, outcome: "verified" as const, code: null,
      text: "verified", value: 60, readBack: 60 };
  }

  async proved() {
    return [{ tag: "press.level", who: "anna", time: 1, outcome: "verified", code: null,
      readBack: 60, present: true }];
  }

  async disarm(given: unknown) {
    this.asked.push({ what: "disarm", given });
    return { latched: true, store: "/s", trouble: null };
  }

  async alarms() {
    return [{ alarm: "hot.a/b", rule: "hold", state: "normal", since: 0, shelvedUntil: null }];
  }

  async operate(given: { alarm: string }) {
    this.asked.push({ what: "operate", given });
    return { ...(await this.alarms())[0]!, alarm: given.alarm };
  }

  async audit(given: unknown) {
    this.asked.push({ what: "audit", given });
    return [];
  }

  async prune(given: unknown) {
    this.asked.push({ what: "prune", given });
    return { rows: 1, done: true };
  }

  async try(given: unknown) {
    this.asked.push({ what: "try", given });
    return { columns: [], rows: [], rows_in: 0, errors: 0, dropped: 0, ended: "" };
  }

  async plan(given: unknown) {
    this.asked.push({ what: "plan", given });
    return forecast;
  }

  async apply(given: unknown) {
    this.asked.push({ what: "apply", given });
    return { forecast, unconfirmed: null };
  }

  async confirm(given: unknown) {
    this.asked.push({ what: "confirm", given });
  }

  async stop(): Promise<void> {}
}

const forecast = {
  configHash: { before: "a", after: "b" }, policyHash: { before: "p", after: "p" },
  differences: [], restart: [], links: [], rules: [], disarms: [], load: [],
  memory: { before: 1, after: 2, budget: 3, taken: 0 },
};

const tag = {
  id: "press.level", at: "input 0", type: "int16", group: "fast", eu: null,
  access: "read" as const, value: 2, quality: "good", category: "good" as const, time: 1000,
  age_ms: 5,
};

function link(name: string, counters: Record<string, number>): LinkView {
  return {
    name, type: "modbus-tcp", state: "open", reason: "", since_ms: 1, peer: "p", opens: 1, counters,
    polls: [{ stream: "press.fast", interval_ms: 100, polls: 9, failed: 1, missed: 0,
      started_ms: 0, refused: [] }],
    stations: [],
  };
}
