import { limits } from "../base.ts";
import type { Connector } from "../connector.ts";
import type { LinkSettings, SourceSettings } from "./mqtt/settings.ts";

const settings = () => require("./mqtt/settings.ts") as typeof import("./mqtt/settings.ts");
let client: typeof import("./mqtt/client.ts") | null = null;

/**
 * MQTT 3.1.1 over TCP; one client a link for all its sinks, commands and sources; sources at
 * qos 1 have one of their own, which the broker keeps messages for.
 */
export const mqttConnector: Connector = {
  type: "mqtt",
  get link() {
    return settings().linkSettings;
  },
  get source() {
    return settings().sourceSettings;
  },
  get sink() {
    return settings().sinkSettings;
  },
  tells: true,
  waits: (given) => (given as SourceSettings).qos === 1,
  marks_min: limits.journal_marks_min,
  async load() {
    client = await import("./mqtt/client.ts");
  },
  connect: (name, given, io) => new client!.MqttConnection(name, given as LinkSettings, io),
};
