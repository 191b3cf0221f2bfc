import { type Gateway, Tag, type TagSpec } from "../../src/config.ts";
import type { TagType } from "../../src/ring.ts";

/** A tag with usual settings. */
export function tag(
  id: string, at: string, type: TagType, more: Partial<TagSpec> & { station?: number } = {},
): Tag {
  const [device, name] = id.split(".") as [string, string];
  const { station = 1, ...other } = more;
  return new Tag({ name: device, station }, {
    at, type, name, column: 0, scale: 1, offset: 0, decimals: null, signal: null,
    wordOrder: "ABCD", eu: null, writable: false, ...other,
  });
}

/** A press on TCP and two meters on a bus: what the simulator is tested with. */
export function testGateway(): Gateway {
  const meter = (name: string, station: number) => ({
    name, station, link: "bus-1", labels: {}, groups: [{
      name: "slow", interval: 1000, statics: [],
      tags: [tag(`${name}.power`, "input 0", "float32", { eu: "W", station })],
    }],
  });
  return {
    id: "test", sources: [], tables: [], models: [], functions: [], rules: [], sinks: [],
    policy: {}, commands: null,
    profile: {
      name: "test", title: "test", target: "any", memoryMB: 64, threads: 1, clock: "trusted",
      watchdog: null, serialPorts: {}, limits: {}, verifiedOn: null,
    },
    links: [
      { name: "plc-1", type: "modbus-tcp", settings: { framing: "tcp" } },
      {
        name: "bus-1", type: "modbus-rtu",
        settings: { baud: 19200, parity: "even", stopBits: 1, timeout: 300 },
      },
      { name: "broker", type: "mqtt", settings: {} },
    ],
    devices: [
      {
        name: "press", link: "plc-1", station: 1, labels: {}, groups: [{
          name: "fast", interval: 100, statics: [], tags: [
            tag("press.temperature", "input 0", "float32", { wordOrder: "CDAB" }),
            tag("press.pressure", "holding 2", "int16", { scale: 0.1, eu: "bar" }),
            tag("press.heater", "holding 10", "float32", { writable: true }),
            tag("press.door_closed", "discrete 4", "bool"),
          ],
        }],
      },
      meter("m-1", 1), meter("m-2", 2),
    ],
    api: { listen: "127.0.0.1", port: 0, token: null },
    store: { directory: "/nonexistent", maxMB: 1, stateMB: 1, checkpoint: 60_000 },
    configHash: "", policyHash: "",
  };
}
