import { connect as connectSocket, type Socket } from "node:net";
import {
  MessageSecurityMode, OPCUAClient, resolveNodeId, SecurityPolicy, setDebugLogger, setErrorLogger,
  setWarningLogger, UserTokenType, type ClientSession, type NodeId, type UserIdentityInfo,
} from "node-opcua-client";
import { eventLoop, Fault, reason, type Log } from "../../base.ts";
import type { Node } from "./address.ts";
import { urlOf, type OpcuaLink } from "./settings.ts";
import { certificatePath, ownIdentity, TrustList, userKeys } from "./trust.ts";
import { troubleText } from "./trouble.ts";

/** Where a link leads, and what it needs of the box. */
export interface Way {
  readonly name: string;
  readonly settings: OpcuaLink;
  readonly directory: string;
}

/** A client with its session. */
export interface Connection {
  readonly client: OPCUAClient;
  readonly session: ClientSession;
  /** Namespaces by their index. */
  readonly namespaces: readonly string[];
}

/** What the library says on the console belongs into the log, of which it is noise, or nowhere. */
export function quieten(log: Log | null): void {
  const tell = (...words: unknown[]): void =>
    log?.debug("opcua", words.map(String).join(" ").replace(/\s+/g, " ").slice(0, 200));
  setDebugLogger(tell);
  setWarningLogger(tell);
  setErrorLogger(tell);
}

/** Connects once; what goes wrong is a Fault that says what to try. */
export async function connect(way: Way, sessionTimeout_ms: number): Promise<Connection> {
  const { settings, directory, name } = way;
  const trusted = new TrustList(directory, name);
  const identity = await ownIdentity(directory);
  const none = settings.security === "None";
  const client = OPCUAClient.create({
    applicationName: "Tagwerk", applicationUri: identity.uri, clientName: `tagwerk ${name}`,
    endpointMustExist: false, connectionStrategy: { maxRetry: 0 },
    securityPolicy: SecurityPolicy[settings.security],
    securityMode: none ? MessageSecurityMode.None
      : settings.mode === "sign" ? MessageSecurityMode.Sign : MessageSecurityMode.SignAndEncrypt,
    certificateKeyPairProvider: identity, clientCertificateManager: trusted,
    requestedSessionTimeout: sessionTimeout_ms, defaultTransactionTimeout: settings.timeout,
    transportTimeout: settings.connectTimeout, keepSessionAlive: true,
  });
  try {
    return await within(settings.connectTimeout, openSession(client, settings));
  } catch (thrown) {
    void abandon(client);
    throw failed(await sayingWhy(thrown, settings), way, trusted);
  }
}

/**
 * With security the library first asks for the server's certificate, and where nobody answers says
 * only that there is no connection. The socket itself knows why.
 */
async function sayingWhy(thrown: unknown, settings: OpcuaLink): Promise<unknown> {
  if (!/premature disconnection/.test(reason(thrown))) return thrown;
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const socket = connectSocket(settings.port, settings.host);
  socket.once("connect", () => resolve(thrown)).once("error", resolve);
  const why = await within(settings.connectTimeout, promise).catch((late: unknown) => late);
  socket.destroy();
  return why;
}

/** Why there is no connection, with what to try. */
export function failed(thrown: unknown, way: Way, { refused }: TrustList): Fault {
  const { name: link, settings, directory } = way;
  return new Fault("opcua", troubleText(thrown, {
    link, settings, refused, certificate: certificatePath(directory),
  }), { link }, "later");
}

async function openSession(client: OPCUAClient, settings: OpcuaLink): Promise<Connection> {
  await client.connect(urlOf(settings));
  const session = await client.createSession(userOf(settings));
  return { client, session, namespaces: await session.readNamespaceArray() };
}

function userOf({ user, password, userCertificate, userKey }: OpcuaLink): UserIdentityInfo {
  if (userCertificate !== undefined && userKey !== undefined) {
    return { type: UserTokenType.Certificate, ...userKeys(userCertificate, userKey) };
  }
  return user === undefined ? { type: UserTokenType.Anonymous }
    : { type: UserTokenType.UserName, userName: user, password: password ?? "" };
}

/** Fails with `timeout` if it did not end in time; Infinity = it ends by itself. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  if (ms === Infinity) return work;
  const late = Promise.withResolvers<never>();
  const timer = eventLoop.after(ms, () => late.reject(new Error("timeout")));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    eventLoop.clear(timer);
  }
}

/** The client's TCP socket, which the library does not show; null = it has none. */
function socketOf(client: OPCUAClient): Socket | null {
  const { _secureChannel: channel } = client as unknown as {
    readonly _secureChannel: { getTransport(): { readonly _socket?: Socket } | undefined } | null;
  };
  return channel?.getTransport()?._socket ?? null;
}

/** Address and port at its other end. */
export function peerOf(client: OPCUAClient): string {
  const socket = socketOf(client);
  return `${socket?.remoteAddress}:${socket?.remotePort}`;
}

/** The descriptor of that socket; null = it is closed. */
export function descriptorOf(client: OPCUAClient): number | null {
  const socket = socketOf(client) as { readonly _handle?: { readonly fd?: number } | null } | null;
  return socket?._handle?.fd ?? null;
}

/** Ends a client at once: what it had not sent yet never leaves (W14). */
export async function abandon(client: OPCUAClient): Promise<void> {
  socketOf(client)?.resetAndDestroy();
  // Whatever it finds to complain about: it is gone.
  await client.disconnect().catch((thrown: unknown) => thrown);
}

/** A node of the configuration in the numbers of this server; a Fault if it has no such URI. */
export function nodeOf({ node, namespace }: Node, namespaces: readonly string[]): NodeId {
  if (namespace === "") return resolveNodeId(node);
  const index = namespaces.indexOf(namespace);
  if (index >= 0) return resolveNodeId(`ns=${index};${node}`);
  throw new Fault("opcua-namespace", `The server has no namespace ${namespace}; it has ` +
    namespaces.join(", "));
}
