import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../base.ts";
import type { Trusted } from "../driver.ts";
import { clientOptions, storeDirectory } from "./client.ts";
import { serverLink } from "./server-link.ts";
import { word, type Args, type Host, type Verb } from "./verb.ts";

export const trustVerb: Verb = {
  name: "trust",
  usage: "trust LINK FINGERPRINT|FILE",
  words: 2,
  summary: "trust a server's certificate: the refused one, or that of a file",
  help: `
The message of the refusal has the command. Compare the certificate with what the server shows of
itself first: whoever has its key can tell this gateway anything. FILE is the server's certificate
in PEM or DER, so that it is known before the first connection.
  -c, --config FILE   the configuration (default gateway.json here)
      --store DIR     another store than the configuration's`,
  options: { config: clientOptions.config, store: clientOptions.store },
  async run(args, host) {
    const link = word(args, 0, "LINK");
    const { text, fingerprint, own } = await trusted(args, host, link);
    console.log(`trusted for ${link}: ${text}, SHA-256 ${fingerprint}`);
    console.log(`our own certificate, which the server must trust too: ${own}`);
    return 0;
  },
};

/** Bytes; whole chains of certificates have less. */
const certificate_bytes_max = 65_536;

function readCertificate(path: string): Uint8Array {
  const stat = statSync(path);
  if (stat.isFile() && stat.size <= certificate_bytes_max) return readFileSync(path);
  throw new Fault("no-certificate", `${path} is ` + (stat.isFile() ? `${stat.size} bytes long`
    : "no regular file") + `: a certificate is a file of at most ${certificate_bytes_max} bytes`,
  { path });
}

async function trusted(args: Args, host: Host, name: string): Promise<Trusted> {
  const given = word(args, 1, "FINGERPRINT or FILE");
  if (existsSync(given)) {
    const { driver, link, directory } = serverLink(args, host, name);
    return driver.tools.trust(link.name, directory, readCertificate(given));
  }
  if (/[./]/.test(given)) throw new Fault("no-file", `There is no file ${given}`, { given });
  const store = storeDirectory(args);
  let trouble: unknown;
  // What was refused lies with its driver; the configuration need not be at hand.
  for (const driver of host.components.drivers) {
    if (driver.medium !== "client") continue;
    try {
      return await driver.tools.trust(name, join(store, driver.type), given);
    } catch (thrown) {
      trouble = thrown;
    }
  }
  throw trouble ?? new Fault("unknown-link", "This binary has no links with certificates");
}
