import type { Connection, Connector } from "../connector.ts";
import type { SinkSettings } from "./log/settings.ts";
import { LogSink } from "./log/sink.ts";

const settings = () => require("./log/settings.ts") as typeof import("./log/settings.ts");

/** Rows as lines of the log: for a first look, not for keeping. */
export const logConnector: Connector = {
  type: "log",
  link: null,
  source: null,
  get sink() {
    return settings().sinkSettings;
  },
  connect(_name, _settings, io): Connection {
    const status: Connection["status"] = {
      state: "up", reason: "", since: io.now(),
      received: 0, sent: 0, dropped: 0, errors: 0, lastError: "",
    };
    return {
      status,
      source: () => () => undefined,
      sink: (name, given, from, rule) => new LogSink(
        `${name} ${rule}`, (given as SinkSettings).rowsPerSecond, from, status, io),
      close: () => Promise.resolve(),
    };
  },
};
