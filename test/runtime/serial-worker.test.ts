import { expect, test } from "bun:test";
import { createLog, eventLoop, systemClock } from "../../src/base.ts";
import { openPty, pipe, writePipe } from "../../src/base/os.ts";
import { createTtyWire } from "../../src/driver.ts";
import { drivers } from "../../src/registry.ts";
import { Arena, OpenRow, Ring } from "../../src/ring.ts";
import { runSerialWorker, type SerialInit } from "../../src/runtime.ts";
import type { LinkPlan } from "../../src/runtime/graph.ts";
import { Overrides } from "../../src/runtime/overrides.ts";
import { SerialPort } from "../../src/runtime/serial.ts";
import type { Thread, World } from "../../src/runtime/world.ts";
import { graphOf } from "../world/site.ts";

/** A port of the bus, and what it tells its worker. */
function startPort(): {
  port: SerialPort; plan: LinkPlan; init: SerialInit; thread: Thread;
} {
  let init: SerialInit | null = null;
  const clock = systemClock();
  const thread: Thread = {
    onmessage: null, onerror: null, addEventListener() {}, terminate() {}, unref() {},
    postMessage: (message) => { init = message as SerialInit; },
  };
  const world = {
    clock, timers: eventLoop, log: createLog("error", () => clock.time(), () => {}),
    thread: () => thread, sleep: () => new Promise<void>(() => {}),
    wakePipe: () => {
      const [end, write] = pipe();
      return { end, wake: () => writePipe(write), close: () => {} };
    },
  } satisfies Partial<World> as unknown as World;
  const plan = graphOf(1).links.find(({ link }) => link.name === "bus")!;
  const arena = Arena.create(1 << 20);
  const rings = new Map(plan.groups.map(({ stream }) =>
    [stream, Ring.create(arena, layoutOf(stream)).ring]));
  for (const [stream, ring] of rings) ring.open = OpenRow.create(arena, stream);
  const events = { wake() {}, ended() {}, complete() {} };
  const port = new SerialPort(plan, rings, events, world, "synced",
    new Overrides({}, { now: () => clock.now(), log: world.log }));
  port.step(clock.now());
  return { port, plan, init: init!, thread };
}

function initOf(path: string, { init } = startPort()): SerialInit {
  return { ...init, link: { ...init.link, settings: { ...init.link.settings, port: path } } };
}

function layoutOf(stream: string) {
  return graphOf(1).streams.find(({ name }) => name === stream)!.layout;
}

test("a worker that fails gives its port back: the next one opens it", () => {
  const pty = openPty();
  const clock = systemClock();
  const opened: string[] = [];
  const fail = (): void => {
    runSerialWorker(initOf(pty.path), {
      clock, log: createLog("error", () => clock.time(), () => {}), drivers,
      wire: ({ link, wake }, driver, events) => createTtyWire(link, driver, wake, events, 5),
      post: (message) => {
        if (message.kind !== "view") return;
        const { state, reason, peer } = message.view;
        if (reason.includes("in use")) throw new Error(reason);
        if (state !== "open") return;
        opened.push(peer);
        throw new Error("planted");
      },
    });
  };
  expect(fail).toThrow("planted");
  expect(fail).toThrow("planted");
  expect(opened).toEqual([pty.path, pty.path]);
  pty.close();
});

test("a link that is closed for good: its worker gives the port back and returns", () => {
  const pty = openPty();
  const clock = systemClock();
  for (let n = 0; n < 2; n++) {
    const started = startPort();
    let opened = false;
    runSerialWorker(initOf(pty.path, started), {
      clock, log: createLog("error", () => clock.time(), () => {}), drivers,
      wire: ({ link, wake }, driver, events) => createTtyWire(link, driver, wake, events, 5),
      post: (message) => {
        if (message.kind !== "view" || message.view.state !== "open") return;
        opened = true;
        started.port.close();
      },
    });
    expect(opened).toBe(true);
  }
  pty.close();
});

test("W3: a port that was gone ends armings before it is open again", () => {
  const pty = openPty();
  const clock = systemClock();
  const started = startPort();
  const told: string[] = [];
  let views = 0;
  runSerialWorker(initOf(pty.path, started), {
    clock, log: createLog("error", () => clock.time(), () => {}), drivers,
    wire: ({ link, wake }, driver, events) => createTtyWire(link, driver, wake, events, 5),
    post: (message) => {
      if (message.kind === "ended") told.push(message.why);
      else if (message.kind !== "view") return;
      else if (message.view.state === "open") pty.close();
      // It is told first of all; of a port that nobody tells of a worker makes views for ever.
      else if (told.length > 0 || (views += 1) > 6) started.port.close();
    },
  });
  expect(told[0]).toBe(`${pty.path} was gone: another device may stand there now`);
});

test("W11, W12: a worker is told the deadline, or the end of the permit if it is sooner", () => {
  const { port, plan, init, thread } = startPort();
  const tag = plan.groups[0]!.tags[0]!;
  const open = { ...port.view(0), state: "open" };
  thread.onmessage!({ data: { kind: "view", view: open } } as MessageEvent);
  const commands = Ring.attach(Arena.attach(init.buffer), init.commands.at, init.commands.layout);
  const { payload } = commands.column("notAfter")!;
  [[5000, 200], [100, 200], [5000, Infinity]].forEach(([notAfter, until], i) => {
    const guard = { arming: 1, notAfter: notAfter!, streams: new Set<string>() };
    port.write(tag, new Uint8Array(2), { ...guard, last: () => until! }, () => {});
    expect(commands.arena.F[payload + i]).toBe(Math.min(notAfter!, until!));
  });
  port.close();
});
