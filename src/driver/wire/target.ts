import { Fault, reason } from "../../base.ts";

/**
 * Where a link leads. Names are looked up anew each time it is opened, so that a device that moved
 * is found; its other addresses, and the other hosts, are tried in turn while none answers.
 */
export class Target {
  readonly #hosts: readonly string[];
  #tries = 0;

  constructor(hosts: readonly string[]) {
    this.#hosts = hosts;
  }

  /** The address to try; a Fault if the name has none. */
  async address(): Promise<string> {
    const { length } = this.#hosts;
    const host = this.#hosts[this.#tries % length]!;
    let known: readonly { readonly address: string }[];
    try {
      known = await Bun.dns.lookup(host);
    } catch (thrown) {
      throw new Fault("host-unknown", `the name ${host} has no address (${reason(thrown)})`,
        { host }, "later");
    }
    return known[Math.floor(this.#tries / length) % known.length]!.address;
  }

  /** Nobody was there: another one is next. */
  failed(): void {
    this.#tries += 1;
  }
}

/** Why a connection did not come to be, and what it usually means. */
export function connectProblem(thrown: unknown): string {
  switch ((thrown as { readonly code?: string }).code) {
    case "ECONNREFUSED": return "connection refused: nobody listens on this port";
    case "EHOSTUNREACH": return "no way to this address: cable, router or firewall";
    case "ENETUNREACH": return "no network leads to this address";
    default: return reason(thrown);
  }
}

/** An address and port, as people write them. */
export function peerText(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
