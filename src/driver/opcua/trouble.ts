import { reason } from "../../base.ts";
import { urlOf, type OpcuaLink } from "./settings.ts";

/** What is known when a connection did not come about. */
export interface Attempt {
  readonly link: string;
  readonly settings: OpcuaLink;
  /** The server's certificate, if it is not trusted. */
  readonly refused: { readonly fingerprint: string; readonly text: string } | null;
  /** Where our own certificate lies. */
  readonly certificate: string;
}

/** Neither 10.0.0.1 nor fe80::1. */
const isName = (host: string): boolean => !/^[\d.]+$|:/.test(host);

/** What people really meet, and what to try; the first that fits. */
const known: readonly (readonly [RegExp, (attempt: Attempt) => string])[] = [
  [/ECONNREFUSED/, ({ settings }) => `nobody listens at ${settings.host}:${settings.port}: is ` +
    "the server running, and is this its port?"],
  [/ENOTFOUND|EAI_AGAIN|DNS/i, ({ settings }) => `there is no host ${settings.host}: check the ` +
    "name, or write the address"],
  [/EHOSTUNREACH|ENETUNREACH/, ({ settings }) => `no way leads to ${settings.host}: check cable, ` +
    "address and netmask"],
  [/BadTcpEndpointUrlInvalid/, ({ settings }) => `the server has no endpoint ${urlOf(settings)}: ` +
    "check `path`"],
  [/Cannot find an Endpoint|BadSecurityPolicyRejected|BadSecurityModeRejected/i, (attempt) =>
    `the server offers no endpoint with security ${attempt.settings.security}` +
    (attempt.settings.security === "None" ? "" : `, mode ${attempt.settings.mode}`) +
    ": choose one that it has, or switch this one on there"],
  [/BadIdentityTokenRejected|BadIdentityTokenInvalid|BadUserAccessDenied|user token policy/,
    ({ settings }) => refusedUser(settings)],
  [/BadCertificateUriInvalid/, ({ certificate }) => "the server finds another URI in our " +
    `certificate than in the session: delete ${certificate}, so that it is made anew`],
  [/BadCertificateInvalid/, () => "what the server shows as its certificate is none: have it " +
    "made anew there"],
  [/BadSecurityChecksFailed|BadCertificate|disconnected by third party|socket has been discon/i,
    ({ settings, certificate }) => (settings.security === "None"
      ? `${settings.host}:${settings.port} ended the connection: it may have too many already, ` +
        "or speak another protocol on this port"
      : "the server ended the connection: if it does not trust our certificate yet, trust it " +
        `there (${certificate}); and check that its clock is right`)],
  [/waiting for data on socket.*hadError ?true/s, ({ settings }) => `what answers at ` +
    `${settings.host}:${settings.port} does not speak OPC UA: is it the right port?`],
  [/premature disconnection/, ({ settings }) => `${settings.host}:${settings.port} ended the ` +
    "connection before it said anything: is it the right port, and has it too many of them?"],
  [/BadTooManySubscriptions/, () => "the server takes no more subscriptions, and each group of a " +
    'device is one: have fewer groups, or some with "read": "poll" (`groups`)'],
  [/BadTooManySessions|BadMaxConnectionsReached|BadTcpNotEnoughResources/, () =>
    "the server has no session left: close other clients, or raise its limit"],
  [/timeout|ETIMEDOUT|timed out/i, ({ settings }) => `no answer from ${settings.host}:` +
    `${settings.port} in time: check address and port, ` +
    (isName(settings.host) ? "whether this gateway's DNS resolves the name, " : "") +
    "and whether a firewall is between"],
];

function refusedUser({ user, userCertificate }: OpcuaLink): string {
  if (userCertificate !== undefined) {
    return "the server takes no user with this certificate: let it trust userCertificate as a " +
      "user's, or give `user` and `password`";
  }
  return user === undefined ? "the server takes no anonymous users: give `user` and `password`, " +
    "or `userCertificate` and `userKey`"
    : `the server refuses the user ${user}: check name and password`;
}

/** Why there is no connection, as one sentence that says what to try. */
export function troubleText(thrown: unknown, attempt: Attempt): string {
  const { refused, link } = attempt;
  if (refused !== null) {
    return `the server's certificate is not trusted (${refused.text}): compare it with what the ` +
      `server shows, then  tagwerk trust ${link} ${refused.fingerprint}`;
  }
  const text = reason(thrown);
  const found = known.find(([pattern]) => pattern.test(text));
  return found === undefined ? text.replace(/\s+/g, " ").slice(0, 300) : found[1](attempt);
}
