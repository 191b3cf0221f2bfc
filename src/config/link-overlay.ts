import { z } from "zod";
import { Fault, nearest } from "../base.ts";
import { JsonText } from "./jsonc.ts";
import { problemText } from "./problem.ts";
import type { Gateway, Link, Source } from "./model.ts";

/** `sim-links.json`: what stands for which link in a simulation. */
const simLinksSchema = z.strictObject({
  links: z.record(z.string(), z.strictObject({
    type: z.string(),
    host: z.string().optional(),
    // Where the gateway listens for a device that dials.
    address: z.string().optional(),
    port: z.union([z.int().min(1).max(65535), z.string().startsWith("/")]),
    // A pty has no transceiver and no parity bit.
    rs485: z.literal("adapter").optional(),
    parity: z.literal("none").optional(),
  })),
});

export type SimLinks = z.output<typeof simLinksSchema>;

export function readSimLinks(text: string, file: string): SimLinks {
  const json = new JsonText(text, file);
  const wrong = json.problems[0];
  if (wrong) throw new Fault("sim-links", problemText(wrong, file), { file });
  const parsed = simLinksSchema.safeParse(json.value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new Fault("sim-links", `${file}: ${issue.path.join(".")}: ${issue.message}`, { file });
}

/**
 * The gateway with its links led to a simulation (W25): a link of the file gets these settings,
 * every other link, brokers too, stays closed, no service is asked as a source, and no command from
 * outside passes.
 */
export function overlayLinks(gateway: Gateway, simLinks: SimLinks): Gateway {
  const names = gateway.links.map((link) => link.name);
  for (const name of Object.keys(simLinks.links)) {
    if (names.includes(name)) continue;
    const meant = nearest(name, names);
    const hint = meant === null ? "" : `; did you mean ${meant}?`;
    throw new Fault("sim-links", `the configuration has no link ${name}${hint}`, { link: name });
  }
  return {
    ...gateway,
    simulated: true,
    commands: null,
    sources: gateway.sources.map((source): Source =>
      (source.link === null && "url" in source.settings ? { ...source, closed: true } : source)),
    links: gateway.links.map((link): Link => {
      const over = Object.hasOwn(simLinks.links, link.name) ? simLinks.links[link.name]! : null;
      return over ? led(link, over) : { ...link, closed: true };
    }),
  };
}

function led(link: Link, over: SimLinks["links"][string]): Link {
  if (over.type !== link.type) {
    throw new Fault("sim-links", `link ${link.name} is of type ${link.type}, not ${over.type}`,
      { link: link.name });
  }
  const { type: _, ...settings } = over;
  // Neither the machine's stand-in is asked, nor is it the machine that dials.
  const { backupHost: _backup, from: _from, ...own } = link.settings;
  return { ...link, settings: { ...own, ...settings } };
}
