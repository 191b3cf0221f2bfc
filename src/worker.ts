import { createLog, systemClock } from "./base.ts";
import { createTtyWire } from "./driver.ts";
import { connectors, drivers } from "./registry.ts";
import { machineWorld, runSerialWorker, serveRole, type SerialInit } from "./runtime.ts";

/** The second entry point: a thread of a role, or of a serial port; its first message says which. */
declare const self: Worker;

const clock = systemClock();
const log = createLog("info", () => clock.time(), (line) => process.stderr.write(`${line}\n`));

self.onmessage = (event: MessageEvent<SerialInit | { readonly kind?: undefined }>) => {
  if (event.data.kind === "serial") {
    runSerialWorker(event.data, {
      clock, log, drivers,
      wire: (init, events) => createTtyWire(init.link, init.wake, events),
      post: (message) => self.postMessage(message),
    });
  }
  const spawn = (): Worker => new Worker(new URL("./worker.ts", import.meta.url).href);
  serveRole(self, { drivers, connectors }, machineWorld(clock, log, spawn));
  self.onmessage?.(event);
};
