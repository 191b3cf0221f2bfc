/** A process whose main thread turns, or stands still, under the watching thread (W6). */
import { Arena, Word } from "../../src/ring.ts";

const arena = Arena.create(1024);
const turns = Word.create(arena, "turns");
const watcher = new Worker(new URL("../../src/worker.ts", import.meta.url).href);
watcher.postMessage({ kind: "watch", buffer: arena.buffer, at: turns.at, stall_ms_max: 400 });
const turning = setInterval(() => turns.add(1), 20);
await Bun.sleep(1500);
console.log("turned for 1500 ms");
if (process.argv[2] === "stall") for (;;);
clearInterval(turning);
watcher.terminate();
process.exit(0);
