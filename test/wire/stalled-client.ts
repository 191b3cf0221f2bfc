import { monotonic } from "../../src/base/os.ts";
import { modbusTcp } from "../../src/driver.ts";
import { tag } from "../driver/support.ts";
import { connectTcp } from "./support.ts";

/** More than a peer takes that does not read, and far less than what one may have under way. */
const fill_bytes = 300_000;

/**
 * Writes 77 to a peer that does not read, so that the frame stays in this machine's kernel: within
 * 300 ms, with a far longer timeout. `stop`: this process stands still right after that.
 */
const [port, what] = process.argv.slice(2);
const { link, session, wire, finish } = await connectTcp(Number(port), { timeout: "60s" });
wire.send(new Uint8Array(fill_bytes), fill_bytes, Infinity);
const target = tag("holding 0", "int16", { writable: true });
const began = monotonic();
session.write(target, modbusTcp.encode(target, 77, link).bytes, () => began + 300, began);
console.log(`sent ${session.sent}`);
if (what === "stop") process.kill(process.pid, "SIGSTOP");
await finish();
console.log(`gave up after ${monotonic() - began} ms`);
