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

/**
 * The elements that a tag lies in, and what each of them is part of: a member of its structure, an
 * element of its array. The first element has two spellings, `Zone` and `Zone[0]`.
 */
function extents(tag: DriverTag): readonly Extent[] {
  const { address: { base, index }, elements } = new Field(tag);
  const segments = (index < 0 ? base : `${base}[${index}]`).split(".");
  const places: Extent[] = [];
  let around = "";
  segments.forEach((segment, i) => {
    const [, name, indices] = /^([^[]+)(?:\[(.+)\])?$/.exec(segment)!;
    const isLast = i === segments.length - 1;
    const element = elementsOf(around + name, indices?.split(",").map(Number) ?? [0],
      isLast ? elements : 1);
    for (const place of element.places) places.push(isLast ? place : { ...place, isPart: true });
    around = `${element.name}.`;
  });
  return places;
}

/** Of several dimensions only the first element's place in the array is known. */
function elementsOf(array: string, indices: readonly number[], count: number) {
  if (indices.length === 1 || indices.every((index) => index === 0)) {
    const from = indices[0]!;
    return { name: from === 0 ? array : `${array}[${from}]`,
      places: [{ area: array, from, to: from + count - 1 }] };
  }
  const name = `${array}[${indices.join(",")}]`;
  return { name, places: [{ area: name, from: 0, to: 0 },
    { area: array, from: 1, to: index_max, isPart: true } as const] };
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
