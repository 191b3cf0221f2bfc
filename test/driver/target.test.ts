import { expect, test } from "bun:test";
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

test("OPC UA's library resolves names by itself: a name that may hang is asked about", () => {
  const late = (host: string): string => troubleText(new Error("timeout"), {
    link: "ua", refused: null, certificate: "own.pem",
    settings: opcua.settings.parse({ host, security: "None" }) as unknown as OpcuaLink,
  });
  expect(late("ua.plant.example")).toContain("whether this gateway's DNS resolves the name");
  expect(late("10.0.0.1")).not.toContain("DNS");
});
