/**
 * A raw Modbus TCP device in a process of its own, on the machine's one monotonic clock: an input
 * register pair that changes at random moments, and a holding register pair that is written. Says
 * at the end when each read asked, when each change was first read, and when each write came.
 */
import { monotonic } from "../../src/base/os.ts";
import { createRandom } from "../../src/base.ts";

const [changes, mean_ms, seed] = process.argv.slice(2).map(Number) as [number, number, number];
const random = createRandom(seed);
let value = 50;
let version = 0;
let read = -1;
const reads: number[] = [];
/** Of each change: when it was first read, and when the write that followed it came. */
const seen: { read: number; write: number }[] = [];
const holding = new DataView(new ArrayBuffer(4));
let frames = 0;

function answer(request: Buffer, now: number): Buffer {
  const code = request[7]!;
  if (code === 4) {
    const body = Buffer.alloc(13);
    request.copy(body, 0, 0, 8);
    body.writeUInt16BE(7, 4);
    body[8] = 4;
    body.writeFloatBE(value, 9);
    if (read !== version) {
      read = version;
      seen[version] = { read: now, write: 0 };
    }
    reads.push(now);
    return body;
  }
  if (code === 2) return Buffer.from([...request.subarray(0, 4), 0, 4, request[6]!, 2, 1, 1]);
  if (code === 3) {
    const body = Buffer.alloc(13);
    request.copy(body, 0, 0, 8);
    body.writeUInt16BE(7, 4);
    body[8] = 4;
    body.writeFloatBE(holding.getFloat32(0), 9);
    return body;
  }
  holding.setFloat32(0, request.readFloatBE(13));
  frames += 1;
  const last = seen[read];
  if (last !== undefined && last.write === 0) last.write = now;
  return Buffer.from([...request.subarray(0, 4), 0, 6, ...request.subarray(6, 12)]);
}

const server = Bun.listen<{ rest: Buffer }>({
  hostname: "127.0.0.1", port: 0,
  socket: {
    open(socket) {
      socket.data = { rest: Buffer.alloc(0) };
      socket.setNoDelay(true);
    },
    data(socket, bytes) {
      const now = monotonic();
      let rest = Buffer.concat([socket.data.rest, bytes]);
      while (rest.length >= 6 && rest.length >= 6 + rest.readUInt16BE(4)) {
        const length = 6 + rest.readUInt16BE(4);
        socket.write(answer(rest.subarray(0, length), now));
        rest = rest.subarray(length);
      }
      socket.data.rest = rest;
    },
  },
});
console.log(JSON.stringify({ port: server.port }));

// Begins when told, so that the loop is armed by then.
for await (const line of console) if (line === "go") break;
while (version < changes) {
  await Bun.sleep(mean_ms * 2 * random.next());
  version += 1;
  value = 20 + 60 * random.next();
}
await Bun.sleep(500);
console.log(JSON.stringify({ reads, seen: seen.filter((s) => s !== undefined), frames }));
process.exit(0);
