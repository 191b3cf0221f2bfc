import {
  csvTable, fileConnector, httpConnector, httpTable, logConnector, mqttConnector, redisTable,
  sqliteTable, sqlTable,
} from "./connector.ts";
import { ethernetIp, modbusRtu, modbusTcp, s7 } from "./driver.ts";

/** What this binary is made of: one line a component, sorted. */
export const drivers = [
  ethernetIp,
  modbusRtu,
  modbusTcp,
  s7,
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
