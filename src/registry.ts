import {
  csvTable, fileConnector, httpConnector, httpTable, logConnector, mqttConnector, redisTable,
  sqliteTable, sqlTable,
} from "./connector.ts";
import { modbusRtu, modbusTcp, opcua, type AnyDriver } from "./driver.ts";

/** What this binary is made of: one line a component, sorted. */
export const drivers: readonly AnyDriver[] = [
  modbusRtu,
  modbusTcp,
  opcua,
];

export const connectors = [
  fileConnector,
  httpConnector,
  logConnector,
  mqttConnector,
];

export const tables = [
  csvTable,
  httpTable,
  redisTable,
  sqlTable,
  sqliteTable,
];
