import { z } from "zod";
import type { Connection, Connector } from "../connector.ts";
import { LogSink } from "./log/sink.ts";

const settings = z.strictObject({
  rowsPerSecond: z.number().min(0.1).max(1000).default(10)
    .describe("rows printed a second at most; the others are counted"),
});

/** Rows as lines of the log: for a first look, not for keeping. */
export const logConnector: Connector = {
  type: "log",
  link: null,
  source: null,
  sink: settings,
  connect(_name, _settings, io): Connection {
    const status: Connection["status"] = {
      state: "up", reason: "", since: io.now(),
      received: 0, sent: 0, dropped: 0, errors: 0, lastError: "",
    };
    return {
      status,
      source: () => () => undefined,
      sink: (name, given, from, rule) =>
        new LogSink(`${name} ${rule}`, settings.parse(given).rowsPerSecond, from, status, io),
      close: () => Promise.resolve(),
    };
  },
};
