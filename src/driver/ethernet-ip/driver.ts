import type { Driver } from "../../driver.ts";
import { StreamSession } from "../wire/stream-session.ts";
import { decode, encode, Field, tagProblem } from "./codec.ts";
import { planReads } from "./plan.ts";
import { readable } from "./readable.ts";
import { ethernetIpServer } from "./serve.ts";
import { EthernetIpProtocol } from "./session.ts";
import type { EthernetIpLink } from "./settings.ts";
import { advise, isRejection } from "./words.ts";

export const ethernetIp: Driver = {
  type: "ethernet-ip",
  medium: "tcp",
  get settings() {
    return (require("./settings.ts") as typeof import("./settings.ts")).ethernetIpSettings;
  },

  checkTag: tagProblem,

  /** Elements of one array, or a tag by itself. */
  extents(tag) {
    const { base, index } = new Field(tag).address;
    return [{ area: base, from: Math.max(0, index), to: Math.max(0, index) }];
  },

  rawBytes: (tag) => new Field(tag).rawBytes,
  plan: (tags, link) => planReads(tags, (link.settings as EthernetIpLink).maxGap),
  occupies: () => null,
  encode,
  decode,
  rejects: isRejection,
  route: (link) => ` slot ${(link.settings as EthernetIpLink).slot}`,

  open(link, wire) {
    const settings = link.settings as EthernetIpLink;
    return new StreamSession(wire, new EthernetIpProtocol(settings), settings.timeout);
  },

  advise,
  readable,
  serve: (tags, _link, host) => ethernetIpServer(tags, host),
};
