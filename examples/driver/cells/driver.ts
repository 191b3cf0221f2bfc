import type { Driver, Request } from "../../../src/driver.ts";
import { StreamSession } from "../../../src/driver/wire/stream-session.ts";
import { BAD } from "../../../src/ring.ts";
import { ANSWER, frameBytes, get16, NO_CELL, READ } from "./frame.ts";
import { Field, planReads, split, tagProblem, type CellsRequest } from "./plan.ts";
import { CellsServer } from "./serve.ts";
import { CellsProtocol } from "./session.ts";
import type { CellsLink } from "./settings.ts";

export const cells: Driver = {
  type: "cells",
  medium: "tcp",
  // Loaded by who reads a configuration, and by no worker.
  get settings() {
    return (require("./settings.ts") as typeof import("./settings.ts")).cellsSettings;
  },

  checkTag: tagProblem,
  extents(tag) {
    const { cell } = new Field(tag);
    return [{ area: "cells", from: cell, to: cell }];
  },
  rawBytes: (tag) => new Field(tag).number.bytes,
  plan: planReads,
  split: (request: Request) => split(request as CellsRequest),
  occupies: () => null,
  encode: (tag, value: number) => new Field(tag).number.encode(value),
  decode: (tag, raw) => new Field(tag).number.decode(raw, 0),
  rejects: (exception) => exception === NO_CELL,

  advise({ state, tag }, link) {
    switch (state) {
      case BAD.timeout: return `is the box at ${(link.settings as CellsLink).host} on, or busy?`;
      case BAD.garbled: return "is it such a box, and is this its port?";
      case BAD.address: return `the box has no ${tag?.at ?? "such cell"}: its display counts them`;
      default: return null;
    }
  },

  readable(bytes) {
    if (frameBytes(bytes, bytes.length) !== bytes.length || bytes.length < 8) return null;
    const what = (bytes[4]! & ~ANSWER) === READ ? "reads" : "writes";
    return `${what} ${bytes[7]} from cell ${get16(bytes, 5)}`;
  },

  open: (link, wire) =>
    new StreamSession(wire, new CellsProtocol(), (link.settings as CellsLink).timeout),
  serve: (tags, _link, host) => new CellsServer(tags, host),
};
