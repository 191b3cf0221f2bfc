import type { Link } from "./model.ts";

/** Names of this gateway itself (RFC 6761, and what /etc/hosts of most systems has). */
const loopback = new Set(["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback",
  "127.0.0.1", "::1", "::ffff:7f00:1"]);

const alone = (host: string, port?: string): string =>
  `"host": "${host}"${port === undefined ? "" : `, "port": ${port}`}`;

/** What is wrong with the name or address of a device, as one sentence of what would be right. */
export function hostProblem(host: string): string | null {
  // A reference that leads nowhere, which was told.
  if (/^(env|file):/.test(host)) return null;
  const [, scheme, url = host] = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/i.exec(host) ?? [];
  const named = url.replace(/\/.*$/, "");
  const [, v6, name, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(named) ?? [];
  if (scheme !== undefined) {
    return `the name or address stands here alone, without ${scheme}: ` +
      alone(v6 ?? name ?? named, port);
  }
  if (v6 !== undefined || port !== undefined) {
    return port === undefined ? `an address stands here without brackets: ${alone(v6!)}`
      : `the port is a setting of its own: ${alone(v6 ?? name!, port)}`;
  }
  if (/\s/.test(host)) {
    return `a space stands in ${JSON.stringify(host)}: ${alone(host.replace(/\s/g, ""))}?`;
  }
  const odd = /[^\p{L}\p{N}._:%-]/u.exec(host);
  if (odd !== null) return `${odd[0]} cannot stand in a name or address: ${alone("192.168.1.20")}`;
  if (/^[\d.]+$/.test(host)) return v4Problem(host);
  if (!host.includes(":") || URL.canParse(`http://[${withoutZone(host)}]`)) return null;
  return `${host} is no IPv6 address, such as fe80::1, and a name has no colon`;
}

function v4Problem(host: string): string | null {
  const parts = host.split(".");
  if (parts.length !== 4 || parts.includes("")) {
    return `${host} is no address: it has four numbers, such as 192.168.1.20`;
  }
  const wrong = parts.find((part) => Number(part) > 255);
  if (wrong !== undefined) return `${host} is no address: ${wrong} is more than 255`;
  // Some systems take 010 for eight.
  return parts.every((part) => String(Number(part)) === part) ? null
    : `numbers of an address have no zeros before them: ${alone(parts.map(Number).join("."))}`;
}

const withoutZone = (host: string): string => host.replace(/%.*$/, "");

/** Small or capital letters, and a dot at the end, make no other host (RFC 4343, RFC 1034). */
function plainHost(host: string): string {
  const text = host.toLowerCase().replace(/\.$/, "");
  const v6 = `http://[${withoutZone(text)}]`;
  return text.includes(":") && URL.canParse(v6)
    ? new URL(v6).hostname.slice(1, -1) + text.slice(withoutZone(text).length) : text;
}

/** Where a link leads, for a person. */
export const hostPort = (host: string, port: unknown): string => `${plainHost(host)}:${port}`;

/** One text for one place, whichever name of this gateway itself it bears. */
export function placeOf(host: string, port: unknown): string {
  const name = plainHost(host);
  return loopback.has(name) || name.endsWith(".localhost") ? `localhost:${port}`
    : `${name}:${port}`;
}

/**
 * By link: one name for all links that may reach the same device, by `host` or by `backupHost`.
 * That two names are of one device is not known, nor who answers behind an address.
 */
export function peersOf(links: readonly Link[]): ReadonlyMap<string, string> {
  const peers = new Map<string, string>();
  const owners = new Map<string, string>();
  for (const { name, settings: { host, port, backupHost } } of links) {
    if (typeof host !== "string") {
      peers.set(name, name);
      continue;
    }
    const places = [host, backupHost].filter((one) => typeof one === "string")
      .map((one) => placeOf(one, port));
    const peer = hostPort(host, port);
    const met = places.flatMap((place) => owners.get(place) ?? []);
    const first = met[0] ?? peer;
    for (const place of places) owners.set(place, first);
    for (const [other, one] of peers) if (met.includes(one)) peers.set(other, first);
    for (const [place, one] of owners) if (met.includes(one)) owners.set(place, first);
    peers.set(name, first);
  }
  return peers;
}
