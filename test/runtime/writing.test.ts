import { expect, test } from "bun:test";
import { limits } from "../../src/base.ts";
import { DONE } from "../../src/driver.ts";
import { Arena, Ring } from "../../src/ring.ts";
import type { LinkPort } from "../../src/runtime/port.ts";
import type { Role } from "../../src/runtime/role.ts";
import type { StorePort } from "../../src/runtime/store-port.ts";
import type { World } from "../../src/runtime/world.ts";
import { Writing } from "../../src/runtime/writing.ts";
import * as fixture from "../gate/fixture.ts";
import { graphOf } from "../world/site.ts";

const tag = "press.manual";
const peer = "10.0.0.1:502";

/** Writing of the simulated plant, over links and a store that answer at once. */
function start() {
  let now = fixture.now;
  const graph = graphOf(1);
  const arena = Arena.create(1 << 22);
  const rings = new Map(graph.streams.map((stream) =>
    [stream.name, Ring.create(arena, stream.layout).ring]));
  /** How long (ms) each read is waited for. */
  const waits: number[] = [];
  const port = { name: "plc", peer, open: true,
    read(_tag, _raw, notAfter, done) {
      waits.push(notAfter - now);
      done(DONE, 0, true, NaN, null);
      return true;
    },
  } as Partial<LinkPort>;
  const links = new Map(graph.links.map(({ link }) => [link.name, port]));
  const role = { gateway: graph.gateway, share: graph, rings, rules: [], links,
    permits: new Map() } as unknown as Role;
  const store = { unavailable: null, nextArming: async () => 1,
    proof: async () => ({ hash: state.hash }),
    beginArming: async () => true, endArming() {} } as unknown as StorePort;
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const world = { log, clock: { now: () => now, time: () => now }, timers: {
    after: (ms: number, done: () => void) => (now += ms, queueMicrotask(done)) },
  } as unknown as World;
  const writing = new Writing(role, store, { epoch: 1, abandoned: [], writes: {},
    lastSent: {} }, fixture.box(), world, () => {});
  writing.step(now, now);
  const lane = writing.lanes.get(tag)!;
  const { state } = lane;
  const ask = { tag, for_ms: 60_000, by: "anna", proof: state.hash! };
  return { writing, lane, state, waits, arm: () => writing.arm(ask),
    waited: () => now - fixture.now };
}

test("an arming waits for the end of the command that a rule has under way", async () => {
  const { state, arm, waited } = start();
  let busy: string | null = "hold/3/17";
  Object.defineProperty(state, "busy", { get: () => (waited() < 300 ? busy : (busy = null)) });
  expect(await arm()).toMatchObject({ tag, number: 1 });
  expect(waited()).toBeGreaterThanOrEqual(300);
});

test("it is refused where the commands leave no gap", async () => {
  const { state, arm, waited } = start();
  state.busy = "hold/3/17";
  const refused = await arm().catch((thrown: unknown) => thrown);
  expect(refused).toMatchObject({ code: "busy" });
  expect(waited()).toBeGreaterThanOrEqual(limits.arm_wait_ms_max);
});

test("W3: it does not take effect where the path ended after the tag was read", async () => {
  const { writing, state, arm, waited } = start();
  let busy: string | null = "hold/3/17";
  Object.defineProperty(state, "busy", { get() {
    if (busy !== null && waited() >= 300) {
      writing.pathEnded("plc", "the device dialled anew");
      busy = null;
    }
    return busy;
  } });
  const refused = await arm().catch((thrown: unknown) => thrown);
  expect(refused).toMatchObject({ code: "link-down" });
  expect(state.arming).toBeNull();
});

test("W4: a disarm waits for a frame on the wire, for no command that waits itself", async () => {
  const waiting = start();
  waiting.state.begin(fixture.restAsk({ tag }));
  await waiting.writing.latch("anna");
  expect(waiting.waited()).toBe(0);
  const sending = start();
  Object.defineProperty(sending.lane, "onTheWire", { get: () => sending.waited() < 300 });
  await sending.writing.latch("anna");
  expect(sending.waited()).toBeGreaterThanOrEqual(300);
});

test("W11: a proof by writing waits for its read as long as for the rest", async () => {
  const { writing, waits, arm } = start();
  await writing.prove({ id: "p-1", tag, by: "anna", proof: "" }, "new");
  expect(waits[0]).toBe(5000);
  // Who arms waits as long as the link itself does.
  await arm();
  expect(waits.at(-1)).toBe(Infinity);
});
