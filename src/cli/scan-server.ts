import type { Link } from "../config.ts";
import type { ClientDriver, FoundEndpoint } from "../driver.ts";

/** What a server says of itself: names and certificates, and the settings of each way into it. */
export async function scanServer(
  driver: ClientDriver, link: Link, directory: string,
): Promise<boolean> {
  const found = await driver.tools.endpoints(link, directory);
  const servers = Map.groupBy(found, ({ url, application, applicationUri, certificate }) =>
    [url, `  application "${application}", ${applicationUri}`, `  ${textOf(certificate)}`]
      .join("\n"));
  for (const [server, endpoints] of servers) {
    console.log(server);
    for (const { security, mode, users } of endpoints) {
      const settings = mode === "none" ? "" : `, "mode": "${mode}"`;
      console.log(`  "security": "${security}"${settings}: ${users.join(", ") || "nobody"}`);
    }
  }
  console.log(`${link.name}: ${found.length} endpoints`);
  return found.length > 0;
}

const textOf = (certificate: FoundEndpoint["certificate"]): string => (certificate === null
  ? "no certificate" : `certificate ${certificate.text}, SHA-256 ${certificate.fingerprint}`);
