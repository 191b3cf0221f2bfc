import { expect, test } from "bun:test";
import { join } from "node:path";
import { overlayLinks, readSimLinks, type Source } from "../../src/config.ts";
import { loadFile } from "./components.ts";

const { gateway } = loadFile(join(import.meta.dir, "line", "gateway.json"));
const both = readSimLinks(`{ "links": {
  "plc-1": { "type": "modbus-tcp", "host": "127.0.0.1", "port": 41234 }, // of the simulator
  "bus-1": { "type": "modbus-rtu", "port": "/dev/pts/7" } } }`, "sim-links.json");

test("W25: named links are led to the simulator, the rest stays closed, no command passes", () => {
  const simulated = overlayLinks(gateway!, both);
  const [plc, bus, broker] = simulated.links;
  expect(plc!.settings).toEqual({ host: "127.0.0.1", port: 41234, timeout: 1000 });
  expect(bus!.settings).toEqual({ ...gateway!.links[1]!.settings, port: "/dev/pts/7" });
  expect([plc!.closed, bus!.closed, broker!.closed]).toEqual([undefined, undefined, true]);
  expect(simulated.commands).toBeNull();
  expect(gateway!.commands).not.toBeNull();
  expect(gateway!.links[2]!.closed).toBeUndefined();
});

test("W25: a broker opens only if it is named", () => {
  const { links } = overlayLinks(gateway!, { links: {
    broker: { type: "mqtt", host: "127.0.0.1", port: 1883 },
  } });
  expect(links.map(({ name, closed }) => [name, closed ?? false]))
    .toEqual([["plc-1", true], ["bus-1", true], ["broker", false]]);
});

test("W25: no service is asked as a source; files are read", () => {
  const source = (name: string, link: string | null, settings: object): Source =>
    ({ name, type: "t", link, columns: [], open: null, settings: { ...settings } });
  const { sources } = overlayLinks({ ...gateway!, sources: [
    source("web", null, { url: "http://mes" }), source("file", null, { file: "a" }),
    source("broker", "broker", { url: "x" })] }, both);
  expect(sources.map(({ closed }) => closed)).toEqual([true, undefined, undefined]);
});

test("a file that does not fit the configuration is refused", () => {
  const link = { type: "modbus-tcp", port: 1 };
  expect(() => overlayLinks(gateway!, { links: { "plc-2": link } })).toThrow("mean plc-1?");
  expect(() => overlayLinks(gateway!, { links: { "bus-1": link } })).toThrow("of type modbus-rtu");
  expect(() => readSimLinks("{", "f.json")).toThrow("expected a closing brace");
  expect(() => readSimLinks('{"links":{"a":{"type":"x"}}}', "f.json")).toThrow("links.a.port");
});

test("neither the stand-in nor the address of the machine is left in a simulation", () => {
  const settings = { host: "10.0.0.1", backupHost: "10.0.0.2", from: "10.0.0.3", timeout: 100 };
  const { links: [led] } = overlayLinks({ ...gateway!, links: [
    { name: "plc-1", type: "modbus-tcp", settings },
  ] }, { links: { "plc-1": { type: "modbus-tcp", host: "127.0.0.1", port: 5 } } });
  expect(led!.settings).toEqual({ host: "127.0.0.1", port: 5, timeout: 100 });
});
