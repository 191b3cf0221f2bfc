import { createServer } from "node:net";

/** Below those that the kernel gives to whoever dials out: no client has it by chance meanwhile. */
const [first, last] = [20_000, 32_000];
let next = first + process.pid * 97 % (last - first);

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((done) => {
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });
}

/** A port of this machine that nobody has, another one at each call. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = next === last ? first : next + 1;
    next = port;
    if (await isFree(port)) return port;
  }
}
