import { MessageSecurityMode, OPCUAClient, UserTokenType } from "node-opcua-client";
import type { Link } from "../../config.ts";
import type { FoundEndpoint } from "../../driver.ts";
import { abandon, failed, quieten, within } from "./session.ts";
import { urlOf, type OpcuaLink } from "./settings.ts";
import { describe, fingerprintOf, ownIdentity, printable, TrustList } from "./trust.ts";

const modes: Readonly<Record<number, FoundEndpoint["mode"]>> = {
  [MessageSecurityMode.Sign]: "sign", [MessageSecurityMode.SignAndEncrypt]: "sign-and-encrypt",
};
const users: Readonly<Record<number, string>> = {
  [UserTokenType.Anonymous]: "anonymous", [UserTokenType.UserName]: "user and password",
  [UserTokenType.Certificate]: "user certificate", [UserTokenType.IssuedToken]: "issued token",
};

/**
 * The ways into a server, which it tells everybody who asks: without a session, and without
 * security, so that nothing of the answer is proved.
 */
export async function endpoints(link: Link, directory: string): Promise<FoundEndpoint[]> {
  quieten(null);
  const settings = link.settings as OpcuaLink;
  const trusted = new TrustList(directory, link.name);
  const identity = await ownIdentity(directory);
  const client = OPCUAClient.create({
    applicationName: "Tagwerk", applicationUri: identity.uri, endpointMustExist: false,
    connectionStrategy: { maxRetry: 0 }, certificateKeyPairProvider: identity,
    clientCertificateManager: trusted, transportTimeout: settings.connectTimeout,
  });
  const ask = async () => {
    await client.connect(urlOf(settings));
    return await client.getEndpoints();
  };
  try {
    const found = await within(settings.connectTimeout, ask());
    return found.map((one) => ({
      url: printable(one.endpointUrl ?? ""),
      application: printable(one.server.applicationName.text ?? ""),
      applicationUri: printable(one.server.applicationUri ?? ""),
      security: printable(one.securityPolicyUri ?? "").replace(/^.*#/, ""),
      mode: modes[one.securityMode] ?? "none",
      users: [...new Set((one.userIdentityTokens ?? []).map(({ tokenType }) =>
        users[tokenType] ?? "something unknown"))],
      certificate: certificateOf(one.serverCertificate),
    }));
  } catch (thrown) {
    throw failed(thrown, { name: link.name, settings, directory }, trusted);
  } finally {
    await abandon(client);
  }
}

function certificateOf(bytes: Buffer | null | undefined): FoundEndpoint["certificate"] {
  if (bytes === null || bytes === undefined || bytes.length === 0) return null;
  return { fingerprint: fingerprintOf(bytes), text: describe(bytes) ?? "no certificate at all" };
}
