import { z } from "zod";
import { duration } from "../../base.ts";
import { formats, messageSettings } from "../../codec.ts";

const seconds = (least: number, most: number) => z.string()
  .transform((text, context): number => {
    const ms = duration(text);
    if (ms !== null && ms >= least * 1000 && ms <= most * 1000) return ms;
    context.addIssue(`a duration of ${least} s to ${most} s is needed, such as "60s"`);
    return z.NEVER;
  });

/** A topic to publish to: MQTT 3.1.1, 4.7.1 keeps `+` and `#` for filters. */
const publishTopic = z.string().min(1)
  .regex(/^[^+#\0]+$/, "a topic to publish to has no + and no #");

/** `+` stands for one level, `#` for all levels to the end (4.7.1). */
const filter = z.string().min(1).refine(
  (text) => text.split("/").every((level, i, all) =>
    level === "+" || (level === "#" && i === all.length - 1) || !/[+#\0]/.test(level)),
  "in a topic filter + is a whole level and # is the last one",
);

const qos = z.union([z.literal(0), z.literal(1)]);

export const linkSettings = z.strictObject({
  host: z.string().min(1).describe("name or address of the broker"),
  port: z.int().min(1).max(65535).default(1883).describe("TCP port of the broker"),
  username: z.string().optional().describe("user name, if the broker asks for one"),
  password: z.string().optional().describe("password, as a reference: env:NAME or file:PATH"),
  clientId: z.string().min(1).optional()
    .describe("name of this client at the broker; `tagwerk-GATEWAY-LINK` if left out"),
  keepalive: seconds(1, 65535).prefault("60s")
    .describe("a silence of 1.5 times this is a broken connection"),
});
export type LinkSettings = z.infer<typeof linkSettings>;

export const sourceSettings = z.strictObject({
  topic: filter.describe("topic filter; + and # are wildcards, {gateway} is the gateway's id"),
  qos: qos.default(0).describe("0: at most once; 1: each message is on disk before it is " +
    "acknowledged, and a restart goes on with it"),
  retained: z.enum(["uncertain", "good", "skip"]).default("uncertain")
    .describe("a retained message has no age: its row is doubtful and its cells are uncertain " +
      "(so that no write comes of them), good, or it is skipped"),
  rowsPerSecond: z.number().min(0.001).max(500_000).default(1000)
    .describe("rows a second in a burst; decides how many rows the stream holds"),
  ...messageSettings,
});
export type SourceSettings = z.infer<typeof sourceSettings>;

export const sinkSettings = z.strictObject({
  topic: publishTopic.describe("topic; {gateway} is the gateway's id, {rule} the rule's name"),
  format: z.enum(formats).default("json")
    .describe("one message a row: a JSON object, or the same as CBOR; what has no usable value " +
      "(NULL, bad, absent, error) is null"),
  qos: qos.default(0).describe("0: at most once; 1: until the broker has acknowledged it"),
  retain: z.boolean().default(false).describe("the broker keeps the newest message for newcomers"),
  quality: z.boolean().default(false)
    .describe("adds an object `quality` that names the state of each value which is not good"),
  identity: z.boolean().default(false)
    .describe("adds an object `identity` of stream, epoch and number, the row's name for ever"),
});
export type SinkSettings = z.infer<typeof sinkSettings>;
