import type { Connector } from "../connector.ts";
import { MqttConnection } from "./mqtt/client.ts";
import { linkSettings, sinkSettings, sourceSettings } from "./mqtt/settings.ts";

/** MQTT 3.1.1 over TCP; one client a link for all its sources, sinks and commands. */
export const mqttConnector: Connector = {
  type: "mqtt",
  link: linkSettings,
  source: sourceSettings,
  sink: sinkSettings,
  connect: (name, settings, io) => new MqttConnection(name, linkSettings.parse(settings), io),
};
