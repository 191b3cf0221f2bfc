import { createLog, systemClock } from "./base.ts";
import { createTtyWire } from "./driver.ts";
import { drivers } from "./registry.ts";
import { runSerialWorker, type SerialInit } from "./runtime.ts";

/** The second entry point: a thread that `main` started; its first message says which. */
declare const self: Worker;

self.onmessage = (event: MessageEvent<SerialInit>) => {
  const clock = systemClock();
  const log = createLog("info", () => clock.time(), (line) => process.stderr.write(`${line}\n`));
  runSerialWorker(event.data, {
    clock, log, drivers,
    wire: (init, events) => createTtyWire(init.link, init.wake, events),
    post: (message) => self.postMessage(message),
  });
};
