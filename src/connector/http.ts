import { limits } from "../base.ts";
import type { Connection, Connector, TableType } from "../connector.ts";
import { HttpTable } from "./http/client.ts";
import type { SourceSettings, TableSettings } from "./http/settings.ts";
import { HttpSource } from "./http/source.ts";
import { freshStatus } from "./status.ts";

const settings = () => require("./http/settings.ts") as typeof import("./http/settings.ts");

/** A web service that is asked again and again. */
export const httpConnector: Connector = {
  type: "http",
  link: null,
  get source() {
    return settings().sourceSettings;
  },
  sink: null,
  source_bytes: limits.mqtt_message_bytes_max,
  connect(name, _settings, io): Connection {
    const status = freshStatus(io.now());
    let asking: HttpSource | null = null;
    return {
      status,
      source(source, given, into) {
        const own = new HttpSource(source, given as SourceSettings, into, status, io);
        asking = own;
        return () => own.end();
      },
      sink: () => {
        throw new Error(`bug: ${name} has no sinks`);
      },
      close: async () => asking?.end(),
    };
  },
};

export const httpTable: TableType = {
  type: "http",
  get settings() {
    return settings().tableSettings;
  },
  wrong(given, key) {
    const isNamed = (given as TableSettings).url.includes("{key}");
    if (isNamed === (key !== null)) return null;
    return ["url", key === null ? "without `key` nobody says what {key} is"
      : "{key} stands for the key that is asked for"];
  },
  open: (given, shape) => new HttpTable(given as TableSettings, shape),
};
