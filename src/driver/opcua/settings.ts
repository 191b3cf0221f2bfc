import { z } from "zod";
import { durationText, secretText } from "../../config.ts";
import { tcpPort } from "../wire/settings.ts";

const deadband = z.union([
  z.number().gt(0),
  z.string().regex(/^\d{1,2}(\.\d+)?%$/).meta({ title: 'a number, or a percentage such as "2%"' }),
]);

/** How the tags of a group are watched; of the link, and of single groups instead. */
const watching = {
  read: z.enum(["subscribe", "poll"])
    .describe("subscribe: the server tells what changed; poll: all is read at each interval, for " +
      "servers without subscriptions"),
  sampling: durationText("0ms", "1d").describe("How often the server looks at a value; the " +
    "group's interval, if left out; 0ms = it tells each change, if it can"),
  queue: z.int().min(1).max(1000)
    .describe("Values of a tag that the server keeps between two messages; the oldest give way"),
  deadband: deadband
    .describe("Smaller changes of a number are not told: a number in the server's own unit, or " +
      '"2%" of the range that the server has for the value (EURange)'),
};

export const opcuaSettings = z.strictObject({
  host: z.string().min(1).describe("Name or address of the server"),
  port: tcpPort.default(4840).describe("TCP port"),
  path: z.string().regex(/^\//, "begins with /").optional()
    .describe("What stands behind the port in the server's endpoint, such as /UA/Server"),
  security: z.enum(["None", "Basic128Rsa15", "Basic256", "Basic256Sha256",
    "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"])
    .describe("Security policy. There is no default: with None everybody on the network can read " +
      "and change what passes; Basic128Rsa15 and Basic256 are broken, and for old servers only"),
  mode: z.enum(["sign", "sign-and-encrypt"]).default("sign-and-encrypt")
    .describe("With a security policy: whether messages are only signed"),
  user: z.string().min(1).optional().describe("User name; anonymous, if left out"),
  password: secretText().optional().describe("Password, as a reference: env:NAME or file:PATH"),
  userCertificate: secretText().optional()
    .describe("Instead of a name: the user's certificate in PEM, as a reference: file:PATH"),
  userKey: secretText().optional()
    .describe("The private key of userCertificate in PEM, as a reference: file:PATH"),
  timeout: durationText("100ms", "10m").prefault("5s").describe("Longest wait for an answer"),
  connectTimeout: durationText("100ms", "10m").prefault("10s")
    .describe("Longest wait for the connection"),
  rowsPerInterval: z.int().min(1).max(1024).default(8)
    .describe("Distinct source times that a group has in one interval: the stream has room for " +
      "so many rows"),
  ...watching,
  read: watching.read.default("subscribe"),
  sampling: watching.sampling.optional(),
  queue: watching.queue.default(10),
  deadband: watching.deadband.optional(),
  groups: z.record(z.string(), z.strictObject(watching).partial()).default({})
    .describe("The same of single groups, by their names"),
}).superRefine(({ user, userCertificate, userKey }, context) => {
  const tell = (path: string, message: string): void =>
    context.addIssue({ code: "custom", path: [path], message });
  if ((userCertificate === undefined) !== (userKey === undefined)) {
    tell(userKey === undefined ? "userKey" : "userCertificate",
      "a user's certificate and its key go together: userCertificate and userKey");
  }
  if (user !== undefined && userCertificate !== undefined) {
    tell("user", "a user has a name, or a certificate: leave one of them out");
  }
});

export type OpcuaLink = z.output<typeof opcuaSettings>;

/** How one group is watched. */
export interface Watching {
  readonly read: "subscribe" | "poll";
  /** ms; undefined = as the group. */
  readonly sampling?: number | undefined;
  readonly queue: number;
  readonly deadband?: number | string | undefined;
}

export function watchingOf(link: OpcuaLink, group: string): Watching {
  const { read, sampling, queue, deadband: band, groups } = link;
  return { read, sampling, queue, deadband: band, ...groups[group] };
}

export const urlOf = ({ host, port, path = "" }: OpcuaLink): string =>
  `opc.tcp://${host.includes(":") ? `[${host}]` : host}:${port}${path}`;
