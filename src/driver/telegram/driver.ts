import { Fault } from "../../base.ts";
import type { Link } from "../../config.ts";
import type { Driver, DriverTag, Extent } from "../../driver.ts";
import { character_ms, type LineSettings } from "../wire/line.ts";
import { advise } from "./advice.ts";
import { groupProblem, tagProblem } from "./check.ts";
import { Field } from "./codec.ts";
import { bytesOf, textOf } from "./notation.ts";
import { planReads, telegramOf } from "./plan.ts";
import { readable } from "./readable.ts";
import { createServer } from "./serve.ts";
import { TelegramSession } from "./session.ts";
import type { FrameSettings, SharedLink } from "./settings.ts";

const schemas = () => require("./settings.ts") as typeof import("./settings.ts");

/**
 * Another telegram under the same name is another tag: a proof is one of how it is asked, read and
 * written (W2).
 */
function route(link: Link): string {
  const { frame, telegrams } = link.settings as SharedLink;
  const text = JSON.stringify([frame, telegrams]);
  return ` telegrams ${new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, 8)}`;
}

/** What ends a telegram inside of a text would make two of it. */
function refuseMarks(value: string, { start, end }: FrameSettings, tag: string): void {
  const marks = [start, end].filter((mark) => mark !== undefined).map(bytesOf);
  const found = marks.find((mark) => Buffer.from(value).includes(mark));
  if (found === undefined) return;
  throw new Fault("value-range", `\`${textOf(found)}\` begins or ends a telegram`, { tag });
}

/**
 * What the machine is told, by any name of a telegram: two tags that say the same to it would undo
 * each other's writes. How many decimals a value has makes no other telegram.
 */
function extents(tag: DriverTag, link: Link): readonly Extent[] {
  const { telegram } = new Field(tag).address;
  const { write } = telegramOf(telegram, link.settings as SharedLink, tag.station);
  const area = write === null ? telegram
    : `\`${textOf(write.before)}{value}${textOf(write.after)}\``;
  return [{ area, from: 0, to: 0 }];
}

/** What all media share: the telegrams of a link are its settings. */
const common = {
  checkTag: (tag, link) => tagProblem(tag, link.settings as SharedLink),
  checkGroup: (tags, link) => groupProblem(tags, link.settings as SharedLink),
  extents,
  rawBytes: (tag) => new Field(tag).rawBytes,
  plan: (tags, link) => planReads(tags, link.settings as SharedLink),
  occupies: () => null,
  encode(tag, value, link) {
    const field = new Field(tag);
    const settings = link.settings as SharedLink;
    const { write } = telegramOf(field.address.telegram, settings, tag.station);
    if (typeof value === "string") refuseMarks(value, settings.frame, tag.id);
    return field.encode(value, write?.decimals ?? null);
  },
  decode: (tag, raw) => new Field(tag).decode(raw),
  /** No answer that is not the acknowledgement says that nothing was done. */
  rejects: () => false,
  route,
  advise,
  open: (link, wire) => new TelegramSession(wire, link.settings as SharedLink, true),
  readable,
  serve: (tags, link, host) => createServer(tags, link.settings as SharedLink, host),
} satisfies Omit<Driver, "type" | "medium" | "settings">;

export const telegramTcp: Driver = {
  ...common,
  type: "telegram-tcp",
  medium: "tcp",
  get settings() {
    return schemas().tcpSettings;
  },
};

/** The machine dials; everything else is as if we had. */
export const telegramListen: Driver = {
  ...common,
  type: "telegram-listen",
  medium: "listen",
  get settings() {
    return schemas().listenSettings;
  },
};

export const telegramUdp: Driver = {
  ...common,
  type: "telegram-udp",
  medium: "udp",
  get settings() {
    return schemas().udpSettings;
  },

  checkTag(tag, link) {
    if (!tag.writable) return common.checkTag(tag, link);
    return "UDP can neither take a telegram back nor see to it that it arrives once (W14), so " +
      'nothing is written over it: "access" must be "read"';
  },
};

/** A line between two: nobody else speaks on it, so nothing is listened for before the first. */
export const telegramSerial: Driver = {
  ...common,
  type: "telegram-serial",
  medium: "serial",
  get settings() {
    return schemas().serialSettings;
  },

  open(link, wire) {
    const settings = link.settings as unknown as SharedLink & LineSettings;
    return new TelegramSession(wire, settings, false, character_ms(settings));
  },
};
