import { expect, spyOn, test } from "bun:test";
import { createTcpWire, createUdpWire, opcua } from "../../src/driver.ts";
import { troubleText } from "../../src/driver/opcua/trouble.ts";
import type { OpcuaLink } from "../../src/driver/opcua/settings.ts";
import { Target } from "../../src/driver/wire/target.ts";

test("what hangs is told as what it is: the name's lookup, or the connection", async () => {
  const target = new Target(["localhost"], 502);
  const address = target.address();
  expect(target.late).toMatch(/^the name localhost was not resolved in time: .*DNS/);
  const found = await address;
  expect(target.late).toBe(`no answer from localhost:502 (${found}) in time: check address and ` +
    "cable, and whether a firewall is between");
});

test("a lookup that was given up says nothing of the next one", async () => {
  const target = new Target(["localhost", "127.0.0.1"], 502);
  const first = target.address();
  target.failed();
  const second = target.address();
  await first;
  expect(target.late).not.toContain("localhost was not");
  expect(await second).toBe("127.0.0.1");
  expect(target.late).toContain("no answer from 127.0.0.1:502 in time");
});

test("a name that nobody knows", async () => {
  const target = new Target(["plc.plant.example"], 502, () =>
    Promise.reject(new Error("DNS_ENOTFOUND")));
  const problem = await target.address().catch((thrown: unknown) => target.problem(thrown));
  expect(problem).toContain("the name plc.plant.example has no address (DNS_ENOTFOUND)");
});

test.each([
  ["tcp", createTcpWire], ["udp", createUdpWire],
] as const)("%s: a link that is given up while its name is looked up says so", (_, create) => {
  const closed: string[] = [];
  const wire = create({ host: "localhost", port: 9 }, {
    opened() {}, received() {}, closed: (reason) => void closed.push(reason),
  });
  wire.open();
  wire.reset();
  expect(closed).toEqual([expect.stringContaining("the name localhost was not resolved in time")]);
});

test("udp: a missed answer asks the same address again, silence another one", async () => {
  const lookup = spyOn(Bun.dns, "lookup").mockImplementation(async () =>
    ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 as const, ttl: 0 })));
  const peer = await Bun.udpSocket({ hostname: "127.0.0.1",
    socket: { data: (socket, bytes, port, address) => void socket.send(bytes, port, address) } });
  let opened = Promise.withResolvers<string>();
  let came = Promise.withResolvers<void>();
  const wire = createUdpWire({ host: "two.example", port: peer.port }, {
    opened: (address) => opened.resolve(address), received: () => came.resolve(), closed() {},
  });
  const peerAfter = async (why?: string, anew?: boolean): Promise<string> => {
    if (why !== undefined) wire.reset(why, anew);
    opened = Promise.withResolvers();
    wire.open();
    return (await opened.promise).replace(`:${peer.port}`, "");
  };
  const missed = (): Promise<string> => peerAfter("an answer is late", true);
  expect([await peerAfter(), await missed(), await missed()]).toEqual(Array(3).fill("127.0.0.1"));
  came = Promise.withResolvers();
  wire.send(Uint8Array.of(1), 1, 100);
  await came.promise;
  expect([await missed(), await missed()]).toEqual(Array(2).fill("127.0.0.1"));
  expect(await missed()).toBe("127.0.0.2");
  expect(await peerAfter("nobody answers")).toBe("127.0.0.1");
  wire.reset();
  peer.close();
  lookup.mockRestore();
});

test("OPC UA's library resolves names by itself: a name that may hang is asked about", () => {
  const late = (host: string): string => troubleText(new Error("timeout"), {
    link: "ua", refused: null, certificate: "own.pem",
    settings: opcua.settings.parse({ host, security: "None" }) as unknown as OpcuaLink,
  });
  expect(late("ua.plant.example")).toContain("whether this gateway's DNS resolves the name");
  expect(late("10.0.0.1")).not.toContain("DNS");
});
