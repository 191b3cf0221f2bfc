import { Fault, reason } from "../../base.ts";
import type { DriverTag } from "../../driver.ts";

type Lookup = (host: string) => Promise<readonly { readonly address: string }[]>;

/**
 * Where a link leads. Names are looked up anew each time it is opened, so that a device that moved
 * is found; its other addresses, and the other hosts, are tried in turn while none answers.
 */
export class Target {
  readonly #hosts: readonly string[];
  readonly #port: number;
  readonly #lookup: Lookup;
  #tries = 0;
  /** Host, port and, of a name, the address that is tried: for a person. */
  #place = "";
  /** The name that is looked up; empty = it is known where to connect to. */
  #name = "";
  /** Counts lookups: one that was given up may still end, after the next began. */
  #lookups = 0;

  constructor(hosts: readonly string[], port: number, lookup: Lookup = Bun.dns.lookup) {
    this.#hosts = hosts;
    this.#port = port;
    this.#lookup = lookup;
  }

  /** The address to try; a Fault if the name has none. */
  async address(): Promise<string> {
    const { length } = this.#hosts;
    const host = this.#hosts[this.#tries % length]!;
    this.#place = peerText(host, this.#port);
    let known: Awaited<ReturnType<Lookup>>;
    const lookup = ++this.#lookups;
    this.#name = host;
    try {
      known = await this.#lookup(host);
    } catch (thrown) {
      throw new Fault("host-unknown", `the name ${host} has no address (${reason(thrown)}): ` +
        "check the name and this gateway's DNS, or write the address itself", { host }, "later");
    } finally {
      if (lookup === this.#lookups) this.#name = "";
    }
    const { address } = known[Math.floor(this.#tries / length) % known.length]!;
    if (address !== host && lookup === this.#lookups) this.#place += ` (${address})`;
    return address;
  }

  /** Nobody was there: another one is next. */
  failed(): void {
    this.#tries += 1;
  }

  /** Why a connection did not come to be, what it usually means, and what to try. */
  problem(thrown: unknown): string {
    const place = this.#place;
    switch ((thrown as { readonly code?: string }).code) {
      case "ECONNREFUSED":
        return `nobody listens at ${place}: is this the right port, and is the protocol switched ` +
          "on in the device?";
      case "EHOSTUNREACH":
        return `no way leads to ${place}: is the device on, and are cable, address and netmask ` +
          "right?";
      case "ENETUNREACH":
        return `no network leads to ${place}: check this gateway's own address, netmask and route`;
      case "ETIMEDOUT": return this.late;
      default: return reason(thrown);
    }
  }

  /** Why nobody has answered in time. */
  get late(): string {
    if (this.#name !== "") {
      return `the name ${this.#name} was not resolved in time: no DNS server answers; ` +
        "check this gateway's DNS and the way to it, or write the address itself";
    }
    return `no answer from ${this.#place} in time: check address and cable, and whether a ` +
      "firewall is between";
  }

  /** Why a connection ended before a single byte came. */
  get wordless(): string {
    return `${this.#place} ended the connection without a word: it may have too many already ` +
      "(close another client), or let in only addresses that it knows";
  }
}

/** An address and port, as people write them. */
export function peerText(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** A device by itself at its address, however many a configuration makes of it (W13); or null. */
export function stationProblem({ station }: DriverTag, protocol: string): string | null {
  return station === 1 ? null : `Station ${station}: ${protocol} has no stations behind one ` +
    'address; leave "station" out, and give each device a link of its own';
}
