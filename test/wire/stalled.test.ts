import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { Program, until } from "../support/binary.ts";

/**
 * W14: a frame that was handed to TCP in time and lies in our kernel, because the peer takes
 * nothing, is thrown away at its deadline, long before the link's timeout.
 */
const programs: Program[] = [];
afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop("SIGKILL");
});

const start = (file: string, ...args: string[]): Program => {
  const program = new Program([process.execPath, join(import.meta.dir, file), ...args]);
  programs.push(program);
  return program;
};

/** The end of what the peer read, once the client has written and 1.2 s have passed. */
async function peerReads(...client: string[]): Promise<{ peer: string; client: string }> {
  const peer = start("stalled-peer.ts");
  const port = await until("peer up", () => /^\d+\n/.exec(peer.output)?.[0].trim());
  const writer = start("stalled-client.ts", port, ...client);
  await until("written", () => writer.output.includes("sent true"));
  await Bun.sleep(1200);
  peer.child.stdin.write("go\n");
  peer.child.stdin.flush();
  await until("the connection ended", () => /(?:FIN|RST) /.test(peer.output));
  return { peer: peer.output, client: writer.output };
}
const frame = /0000000601060000004d$/m;

test("the session resets the connection at the write's deadline", async () => {
  const { peer, client } = await peerReads();
  const [, after] = /gave up after ([\d.]+) ms/.exec(client)!;
  expect(Number(after)).toBeGreaterThanOrEqual(300);
  expect(Number(after)).toBeLessThan(1000);
  expect(peer).toContain("RST");
  expect(peer).not.toMatch(frame);
}, 20_000);

test("a process that stands still meanwhile: the kernel gives it up", async () => {
  const { peer, client } = await peerReads("stop");
  expect(client).not.toContain("gave up");
  expect(peer).toContain("RST");
  expect(peer).not.toMatch(frame);
}, 20_000);
