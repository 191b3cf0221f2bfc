import type { Driver, DriverTag, Extent } from "../../driver.ts";
import { StreamSession } from "../wire/stream-session.ts";
import { decode, encode } from "../wire/value.ts";
import { index_max } from "./address.ts";
import { Field, tagProblem } from "./codec.ts";
import { planReads } from "./plan.ts";
import { readable } from "./readable.ts";
import { ethernetIpServer } from "./serve.ts";
import { EthernetIpProtocol } from "./session.ts";
import type { EthernetIpLink } from "./settings.ts";
import { advise, isRejection } from "./words.ts";

/** Of a STRING, which is written whole; its characters are as many as its own type says. */
const text_members = [["len", 0], ["data", index_max]] as const;

/** Elements of one array, or a tag by itself; a text is its members, too. */
function extents(tag: DriverTag): readonly Extent[] {
  const { address: { base, index }, number } = new Field(tag);
  const own = { area: base, from: Math.max(0, index), to: Math.max(0, index) };
  if (number !== null) return [own];
  const name = index < 0 ? base : `${base}[${index}]`;
  return [own, ...text_members.map(([member, to]) => ({ area: `${name}.${member}`, from: 0, to }))];
}

export const ethernetIp: Driver = {
  type: "ethernet-ip",
  medium: "tcp",
  get settings() {
    return (require("./settings.ts") as typeof import("./settings.ts")).ethernetIpSettings;
  },

  checkTag: tagProblem,

  extents,

  rawBytes: (tag) => new Field(tag).rawBytes,
  plan: (tags, link) => planReads(tags, (link.settings as EthernetIpLink).maxGap),
  occupies: () => null,
  encode: (tag, value) => encode(tag, value, "low first"),
  decode: (tag, raw) => decode(tag, raw, "low first"),
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
