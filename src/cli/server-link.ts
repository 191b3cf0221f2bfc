import { join } from "node:path";
import { Fault, nearest } from "../base.ts";
import type { Link } from "../config.ts";
import type { ClientDriver } from "../driver.ts";
import { examine } from "./examine.ts";
import { text, type Args, type Host } from "./verb.ts";

/** A link of a configuration that leads to a server which can be asked for its nodes. */
export interface ServerLink {
  readonly link: Link;
  readonly driver: ClientDriver;
  /** What its driver keeps below the store. */
  readonly directory: string;
}

export function serverLink(args: Args, host: Host, name: string): ServerLink {
  const path = text(args, "config") ?? "gateway.json";
  const { graph, texts } = examine(path, host.components, null);
  if (graph === null) {
    throw new Fault("config-problems", `${path} has problems:\n${texts.join("\n")}`, { path });
  }
  const { gateway: { links, store } } = graph;
  const link = links.find((one) => one.name === name);
  const driver = host.components.drivers.find(({ type }) => type === link?.type);
  if (link === undefined || driver?.medium !== "client") {
    const clients = host.components.drivers.filter(({ medium }) => medium === "client");
    const known = links.filter(({ type }) => clients.some((one) => one.type === type))
      .map((one) => one.name);
    const meant = nearest(name, known);
    throw new Fault("unknown-link", link === undefined
      ? `There is no link ${name}${meant === null ? "" : `; did you mean ${meant}?`}`
      : `${name} is a link of type ${link.type}: only servers of type ` +
        `${clients.map(({ type }) => type).join(", ")} tell what they have`, { link: name });
  }
  return { link, driver, directory: join(text(args, "store") ?? store.directory, link.type) };
}
