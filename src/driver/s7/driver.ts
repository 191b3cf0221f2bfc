import type { Driver } from "../../driver.ts";
import { StreamSession } from "../wire/stream-session.ts";
import { decode, encode } from "../wire/value.ts";
import { Field, tagProblem } from "./codec.ts";
import { planReads } from "./plan.ts";
import { readable } from "./readable.ts";
import { s7Server } from "./serve.ts";
import { S7Protocol } from "./session.ts";
import type { S7Link } from "./settings.ts";
import { advise, isRejection } from "./words.ts";

export const s7: Driver = {
  type: "s7",
  medium: "tcp",
  get settings() {
    return (require("./settings.ts") as typeof import("./settings.ts")).s7Settings;
  },

  checkTag: tagProblem,

  /** In bits: a bit and the byte it is part of overlap. */
  extents(tag) {
    const { area, db, from, bytes, bit } = new Field(tag).address;
    const first = from * 8 + Math.max(0, bit);
    return [{
      area: area === "DB" ? `DB${db}` : area,
      from: first, to: bit < 0 ? (from + bytes) * 8 - 1 : first,
    }];
  },

  rawBytes: (tag) => new Field(tag).rawBytes,
  plan: (tags, link) => planReads(tags, (link.settings as S7Link).maxGap),
  occupies: () => null,
  encode: (tag, value) => encode(tag, value, "high first"),
  decode: (tag, raw) => decode(tag, raw, "high first"),
  rejects: isRejection,

  route(link) {
    const { rack, slot, connection, remoteTsap: given } = link.settings as S7Link;
    return given === undefined ? ` rack ${rack} slot ${slot} as ${connection}`
      : ` TSAP ${given.toString(16).padStart(4, "0")}`;
  },

  open(link, wire) {
    const settings = link.settings as S7Link;
    return new StreamSession(wire, new S7Protocol(settings), settings.timeout);
  },

  advise,
  readable,
  serve: (tags, _link, host) => s7Server(tags, host),
};
