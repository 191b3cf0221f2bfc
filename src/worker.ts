import type { Clock, Log } from "./base.ts";
import { Arena, Word } from "./ring.ts";
import type { SerialInit, WatchInit } from "./runtime.ts";

/**
 * The second entry point: a thread of a role, of a serial port, or the one that watches the main
 * thread; its first message says which. What only one of them needs is imported only there.
 */
declare const self: Worker;

type Call = { readonly kind?: undefined };

self.onmessage = async (event: MessageEvent<SerialInit | WatchInit | Call>) => {
  if (event.data.kind === "watch") watch(event.data);
  else if (event.data.kind === "serial") await serial(event.data);
  else {
    await role();
    // Who serves it has put himself in this place.
    self.onmessage?.(event);
  }
};

async function serial(init: SerialInit): Promise<void> {
  const [{ createLog, systemClock }, { createTtyWire }, { drivers }, { runSerialWorker }] =
    await Promise.all([import("./base.ts"), import("./driver.ts"), import("./registry.ts"),
      import("./runtime.ts")]);
  const clock = systemClock(init.engineClock);
  runSerialWorker(init, {
    clock, log: logOf(createLog, clock), drivers,
    wire: ({ link, wake }, driver, events) => createTtyWire(link, driver, wake, events),
    post: (message) => self.postMessage(message),
  });
  // Ends this thread only.
  process.exit();
}
async function role(): Promise<void> {
  const [{ createLog, systemClock }, { connectors, drivers, tables }, { machineWorld, serveRole }] =
    await Promise.all([import("./base.ts"), import("./registry.ts"), import("./runtime.ts")]);
  serveRole(self, { drivers, connectors, tables }, ({ engineClock, workerUrl, directory }) => {
    const clock = systemClock(engineClock);
    return machineWorld(clock, logOf(createLog, clock), workerUrl, directory);
  });
}

const logOf = (createLog: typeof import("./base.ts").createLog, clock: Clock): Log =>
  createLog("info", () => clock.time(), (line) => process.stderr.write(`${line}\n`));

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
