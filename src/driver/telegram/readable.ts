import type { Link } from "../../config.ts";
import { Framing, TELEGRAM } from "./framing.ts";
import { bytesOf, textOf } from "./notation.ts";
import type { SharedLink, TelegramSettings } from "./settings.ts";
import { namesStation, withStation } from "./station.ts";
import { beginsWith } from "./telegram.ts";
import { parseTemplate } from "./template.ts";

/**
 * What was sent by the name of its telegram; what came as it is, in pieces too: on a serial line a
 * telegram comes byte by byte.
 */
export function readable(bytes: Uint8Array, isRequest: boolean, { settings }: Link): string | null {
  if (bytes.length === 0) return null;
  const text = textOf(bytes);
  if (!isRequest) return text;
  const link = settings as SharedLink;
  const framing = new Framing(link.frame, 0);
  framing.push(bytes, 0, bytes.length, 0);
  const isWhole = framing.take() === TELEGRAM || framing.fallSilent() === TELEGRAM;
  if (!isWhole) return link.frame.bytes === undefined ? null : text;
  framing.hideLength();
  const { input, from, to } = framing;
  const payload = input.subarray(from, to);
  for (const [name, telegram] of Object.entries(link.telegrams)) {
    for (const station of namesStation(telegram.send ?? telegram.write) ? addresses : [0]) {
      const verb = verbOf(telegram, station, payload);
      if (verb !== null) return `${verb} ${name}: ${text}`;
    }
  }
  return text;
}

/** All that a station may be. */
const addresses = Array.from({ length: 256 }, (_, station) => station);

function verbOf(
  { send, write }: TelegramSettings, station: number, payload: Uint8Array,
): "reads" | "writes" | null {
  const asked = send === undefined ? null : bytesOf(withStation(send, station));
  if (asked !== null && Buffer.compare(asked, payload) === 0) return "reads";
  if (write === undefined) return null;
  const { before } = parseTemplate(withStation(write, station));
  return beginsWith(before, payload, 0, payload.length) ? "writes" : null;
}
