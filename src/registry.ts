import {
  csvTable, fileConnector, httpConnector, httpTable, logConnector, modbusServer, mqttConnector,
  redisTable, sqliteTable, sqlTable,
} from "./connector.ts";
import {
  ethernetIp, modbusAscii, modbusListen, modbusRegisters, modbusRtu, modbusTcp, modbusUdp, opcua,
  s7, telegramListen, telegramSerial, telegramTcp, telegramUdp, type AnyDriver,
} from "./driver.ts";

/** What this binary is made of: one line a component, sorted. */
export const drivers: readonly AnyDriver[] = [
  ethernetIp,
  modbusAscii,
  modbusListen,
  modbusRtu,
  modbusTcp,
  modbusUdp,
  opcua,
  s7,
  telegramListen,
  telegramSerial,
  telegramTcp,
  telegramUdp,
];

export const connectors = [
  fileConnector,
  httpConnector,
  logConnector,
  modbusServer(modbusRegisters),
  mqttConnector,
];

export const tables = [
  csvTable,
  httpTable,
  redisTable,
  sqlTable,
  sqliteTable,
];
