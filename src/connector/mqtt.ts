import { limits } from "../base.ts";
import type { Connector } from "../connector.ts";
import { linkSettings, sinkSettings, sourceSettings } from "./mqtt/settings.ts";

let client: typeof import("./mqtt/client.ts") | null = null;

/**
 * MQTT 3.1.1 over TCP; one client a link for all its sinks, commands and sources; sources at
 * qos 1 have one of their own, which the broker keeps messages for.
 */
export const mqttConnector: Connector = {
  type: "mqtt",
  link: linkSettings,
  source: sourceSettings,
  sink: sinkSettings,
  waits: (settings) => sourceSettings.parse(settings).qos === 1,
  marks_min: limits.journal_marks_min,
  async load() {
    client = await import("./mqtt/client.ts");
  },
  connect: (name, settings, io) =>
    new client!.MqttConnection(name, linkSettings.parse(settings), io),
};
