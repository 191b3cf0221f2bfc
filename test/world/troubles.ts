import type { Random } from "../../src/base.ts";
import { faultKinds } from "../../src/sim/fault.ts";
import type { World } from "./world.ts";

interface Kind {
  readonly name: string;
  /** False: it cannot happen now, and is tried again. */
  begin(world: World, random: Random): boolean | void;
}

const tcpLinks = ["plc", "aux"] as const;
const onBus = new Set(["other-master"]);
const onTcp = new Set(["stall"]);
/** What takes one request must wait until it comes; a cut and another master have a time. */
const values: Readonly<Record<string, string>> = {
  delay: "450ms", stall: "400ms", exception: "4", "other-master": "150ms",
};

/** A device or its cable. */
const linkKinds: readonly Kind[] = faultKinds.map((kind) => ({
  name: kind,
  begin: (world, random) => {
    const link = onBus.has(kind) ? "bus"
      : random.pick(onTcp.has(kind) ? tcpLinks : [...tcpLinks, "bus"]);
    const rest = kind === "other-master" ? "for 700ms"
      : kind === "disconnect" && random.chance(0.5) ? `for ${300 + random.below(2000)}ms`
        : `count ${1 + random.below(2)}${random.chance(0.3) ? " only writes" : ""}`;
    world.equipment.command(`fault ${link} ${kind} ${values[kind] ?? ""} ${rest}`
      .replace(/ +/g, " "));
    if (rest.startsWith("for") && link !== "bus") world.networks.get(link)!.cut();
  },
}));

const kinds: readonly Kind[] = [
  ...linkKinds,
  { name: "peer", begin: (world, random) => {
    const link = random.pick(tcpLinks);
    const network = world.networks.get(link)!;
    network.peer = `10.0.0.${1 + random.below(200)}:502`;
    network.cut();
  } },
  { name: "broker-away", begin: (world, random) =>
    world.broker.leave(500 + random.below(4000)) },
  { name: "broker-slow", begin: (world, random) => {
    world.broker.slowUntil = world.timeline.now + 2000 + random.below(6000);
  } },
  { name: "disk", begin: (world, random) => {
    world.disk.trouble = random.pick(["full", "io"] as const);
    world.timeline.after(200 + random.below(3000), () => {
      world.disk.trouble = null;
    });
  } },
  { name: "clock-step", begin: (world, random) => {
    const size = 1500 + random.below(random.chance(0.5) ? 5000 : 3_600_000);
    world.clockOffset += random.chance(0.5) ? size : -size;
  } },
  { name: "clock-unsynced", begin: (world, random) => {
    world.synced = false;
    world.timeline.after(500 + random.below(4000), () => {
      world.synced = true;
    });
  } },
  { name: "model", begin: (world, random) => {
    world.model.kind = random.pick(["not-finite", "fails", "late"] as const);
    world.model.left = 1 + random.below(4);
  } },
  { name: "thread-held", begin: (world, random) => {
    const thread = random.pick(world.process.threads);
    // Long enough for readers to be lapped; the watch over the turns bears up to 2 s.
    thread.heldUntil = world.timeline.now + 50 + random.below(1500);
  } },
  { name: "client-flood", begin: (world) => world.panel.flood() },
  { name: "client-half", begin: (world) => world.panel.half() },
  { name: "client-noise", begin: (world) => world.panel.noise() },
  { name: "client-crowd", begin: (world) => world.panel.crowd() },
  { name: "client-pulled", begin: (world) => world.panel.pull() },
  { name: "heard-noise", begin: (world, random) => {
    world.overheard.noisyUntil = world.timeline.now + 2000 + random.below(6000);
  } },
  { name: "heard-silence", begin: (world, random) => {
    world.overheard.silentUntil = world.timeline.now + 500 + random.below(5000);
  } },
  { name: "serial-worker", begin: (world, random) => {
    const worker = world.process.serial.get(random.pick(["bus", "heard"]));
    worker?.die();
    return worker !== undefined;
  } },
  { name: "kill", begin: (world) => {
    const { alive } = world.process;
    world.process.end(137);
    return alive;
  } },
  { name: "stop", begin: (world) => world.stopProcess() },
  { name: "disarm", begin: (world) => world.operator.disarm() },
];

/** What could not happen is tried again (ms). */
const again_ms = 500;

export const troubleNames = kinds.map((kind) => kind.name);

/** Trouble of each kind `each` times, at random times between `from` and `to`. */
export function plan(
  world: World, random: Random, each: number, from: number, to: number,
): void {
  for (const kind of kinds) {
    for (let i = 0; i < each; i++) {
      const begin = (): void => {
        if (kind.begin(world, random) === false) return void world.timeline.after(again_ms, begin);
        world.trace.add(world.timeline.now, "trouble", kind.name);
        world.troubles.set(kind.name, (world.troubles.get(kind.name) ?? 0) + 1);
      };
      world.timeline.at(from + random.next() * (to - from), begin);
    }
  }
}
