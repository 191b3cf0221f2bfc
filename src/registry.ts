import {
  csvTable, fileConnector, httpConnector, httpTable, logConnector, mqttConnector, redisTable,
  sqliteTable, sqlTable,
} from "./connector.ts";
import {
  modbusAscii, modbusListen, modbusRtu, modbusTcp, modbusUdp, telegramListen, telegramSerial,
  telegramTcp, telegramUdp,
} from "./driver.ts";

/** What this binary is made of: one line a component, sorted. */
export const drivers = [
  modbusAscii,
  modbusListen,
  modbusRtu,
  modbusTcp,
  modbusUdp,
  telegramListen,
  telegramSerial,
  telegramTcp,
  telegramUdp,
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
