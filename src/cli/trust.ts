import { join } from "node:path";
import { Fault } from "../base.ts";
import { clientOptions, storeDirectory } from "./client.ts";
import { word, type Verb } from "./verb.ts";

export const trustVerb: Verb = {
  name: "trust",
  usage: "trust LINK FINGERPRINT",
  words: 2,
  summary: "trust the certificate that a server showed and that was refused",
  help: `
The message of the refusal has the command. Compare the certificate with what the server shows of
itself first: whoever has its key can tell this gateway anything.
  -c, --config FILE   the configuration (default gateway.json here)
      --store DIR     another store than the configuration's`,
  options: { config: clientOptions.config, store: clientOptions.store },
  async run(args, host) {
    const link = word(args, 0, "LINK");
    const fingerprint = word(args, 1, "FINGERPRINT");
    const store = storeDirectory(args);
    let trouble: unknown;
    // What was refused lies with its driver; the configuration need not be at hand.
    for (const driver of host.components.drivers) {
      if (driver.medium !== "client") continue;
      try {
        const trusted = await driver.tools.trust(link, join(store, driver.type), fingerprint);
        console.log(`trusted for ${link}: ${trusted}`);
        return 0;
      } catch (thrown) {
        trouble = thrown;
      }
    }
    throw trouble ?? new Fault("unknown-link", "This binary has no links with certificates");
  },
};
