import type { Link } from "../../config.ts";
import { Framing, TELEGRAM } from "./framing.ts";
import { textOf } from "./notation.ts";
import { telegramOf } from "./plan.ts";
import type { SharedLink } from "./settings.ts";
import { beginsWith } from "./telegram.ts";

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
  for (const name of Object.keys(link.telegrams)) {
    const { send, write } = telegramOf(name, link);
    const isRead = send !== null && to - from === send.length;
    if (isRead && beginsWith(send, input, from, to)) return `reads ${name}: ${text}`;
    const isWrite = write !== null && beginsWith(write.before, input, from, to);
    if (isWrite) return `writes ${name}: ${text}`;
  }
  return text;
}
