import type { Clock, Log } from "./base.ts";
import { Arena, Word } from "./ring.ts";
import type { SerialInit, WatchInit } from "./runtime.ts";

/**
 * The second entry point: a thread of a role, of a serial port, or the one that watches the main
 * thread; its first message says which. What only one of them needs is imported only there.
 */
declare const self: Worker;

type First = SerialInit | WatchInit | { readonly kind?: undefined };

self.onmessage = (event: MessageEvent<First>) => {
  if (event.data.kind === "watch") watch(event.data);
  else void work(event as MessageEvent<Exclude<First, WatchInit>>);
};

async function work(event: MessageEvent<Exclude<First, WatchInit>>): Promise<void> {
  const [{ createLog, systemClock }, { createTtyWire }, { connectors, drivers, tables }, runtime] =
    await Promise.all([import("./base.ts"), import("./driver.ts"), import("./registry.ts"),
      import("./runtime.ts")]);
  const logOf = (clock: Clock): Log =>
    createLog("info", () => clock.time(), (line) => process.stderr.write(`${line}\n`));
  if (event.data.kind === "serial") {
    const clock = systemClock(event.data.clockOffset);
    runtime.runSerialWorker(event.data, {
      clock, log: logOf(clock), drivers,
      wire: (init, events) => createTtyWire(init.link, init.wake, events),
      post: (message) => self.postMessage(message),
    });
    // Ends this thread only.
    process.exit();
  }
  runtime.serveRole(self, { drivers, connectors, tables }, ({ clockOffset, workerUrl }) => {
    const clock = systemClock(clockOffset);
    return runtime.machineWorld(clock, logOf(clock), workerUrl);
  });
  self.onmessage?.(event);
}

/** W6: a main thread that takes no turn is ended by the process; init starts it anew, unarmed. */
function watch({ buffer, at, stall_ms_max }: WatchInit): void {
  const turns = Word.attach(Arena.attach(buffer), at);
  let seen = turns.get();
  let still = 0;
  setInterval(() => {
    still = turns.get() === seen ? still + 1 : 0;
    seen = turns.get();
    if (still < 4) return;
    process.stderr.write(`no turn for ${stall_ms_max} ms; ending\n`);
    process.kill(process.pid, "SIGKILL");
  }, stall_ms_max / 4);
}
