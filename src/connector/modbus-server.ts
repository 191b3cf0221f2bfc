import type { LinkUse, UseProblem } from "../config.ts";
import type { Connector, Taken } from "../connector.ts";
import { kindOf, shownRegisters, type ShownRegister } from "./modbus-server/map.ts";
import type { Modbus } from "./modbus-server/modbus.ts";
import { ServerConnection } from "./modbus-server/connection.ts";
import { overlaps } from "./modbus-server/overlap.ts";
import type { OpenPort } from "./modbus-server/session.ts";
import type { LinkSettings, SinkSettings } from "./modbus-server/settings.ts";

const settings = () =>
  require("./modbus-server/settings.ts") as typeof import("./modbus-server/settings.ts");

/** All registers of two areas and all bits of two, as clients read them. */
const images_bytes = 2 * 65_536 * 2 + 2 * 65_536;
/** Requests and answers of one of them, here and in the engine's socket. */
const client_bytes = 8192;

/**
 * A Modbus TCP server: others read registers that show tags and rules' results, and what they write
 * becomes rows. `modbus`: how the drivers speak it; `openPort`: what clients connect to.
 */
export const modbusServer = (modbus: Modbus, openPort?: OpenPort): Connector => ({
  type: "modbus-server",
  get link() {
    return settings().linkSettings;
  },
  get source() {
    return settings().sourceSettings(modbus);
  },
  get sink() {
    return settings().sinkSettings(modbus);
  },
  link_bytes: (given) => images_bytes + (given as LinkSettings).clients * client_bytes,
  takes(given): Taken[] {
    const { maxAge } = given as SinkSettings;
    return shownRegisters(given as SinkSettings).map((register): Taken => ({
      name: register.name, path: ["registers", register.at], maxAge,
      wrong: (kind) => misfit(register, kind),
    }));
  },
  wrongTogether: (uses: readonly LinkUse[]): UseProblem[] => overlaps(uses, modbus),
  connect: (name, given, io) =>
    new ServerConnection(name, given as LinkSettings, modbus, io, openPort),
});

const numbers = ["float64", "int53", "int64", "time", "bool"];

/** Quality and count are there of any column. */
function misfit({ shown, tag, name }: ShownRegister, kind: string): string | null {
  if (shown !== "value") return null;
  const wanted = kindOf(tag);
  if (wanted === "text" || kind === "text") {
    return wanted === kind ? null : kind === "text"
      ? `${name} is a text: the register needs "type": "text(n)", of n bytes`
      : `${name} is no text: it is ${kind}`;
  }
  if (kind === "dyn") {
    return `${name} is an array or of no fixed type: registers hold numbers, bool and text, ` +
      "which a rule can take out of it";
  }
  if (!numbers.includes(kind)) return `${name} is ${kind}: registers hold numbers, bool and text`;
  return tag.type === "bool" && kind !== "bool" ? `${name} is no bool: it is ${kind}` : null;
}
