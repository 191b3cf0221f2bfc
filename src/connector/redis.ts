import type { TableType } from "../connector.ts";
import { RedisTable } from "./redis/client.ts";
import type { TableSettings } from "./redis/settings.ts";

const settings = () => require("./redis/settings.ts") as typeof import("./redis/settings.ts");

export const redisTable: TableType = {
  type: "redis",
  get settings() {
    return settings().tableSettings;
  },
  wrong: (_given, key) =>
    (key === null ? ["key", "is missing: a table of type redis is asked by its key"] : null),
  open: (given, shape) => new RedisTable(given as TableSettings, shape),
};
