import { z } from "zod";
import { cronProblem, limits } from "../base.ts";
import { columnText } from "./columns.ts";
import { devicePattern, durationText, nameText, secretText, sizeText, tagTypeText, typeText }
  from "./fields.ts";
import type { Deadband, Link, TagOnLink } from "./model.ts";

/**
 * The vocabulary of the configuration file. A setting is declared here once, with bounds, default
 * and help; the parser, the problems and the published JSON Schema derive from it. What belongs to
 * a component (a link's `baud`, a sink's `topic`) is handed in by the registry.
 */
export interface Components {
  /** Settings of a link, by its `type`. */
  readonly links: Readonly<Record<string, z.ZodObject>>;
  /** Settings of a source beside `type`, `link` and `columns`. */
  readonly sources: Readonly<Record<string, z.ZodObject>>;
  /** Settings of a sink beside `type` and `link`. */
  readonly sinks: Readonly<Record<string, z.ZodObject>>;
  /** Settings of a table beside what all have. */
  readonly tables: Readonly<Record<string, z.ZodObject>>;
  /** What is wrong with a table's own settings where it has this key, or none: which, and why. */
  wrongTable?(type: string, settings: object, key: string | null):
    readonly [setting: string, why: string] | null;
  /** What is wrong among the sources and sinks of one link, beyond each by itself. */
  wrongTogether?(type: string, uses: readonly LinkUse[]): readonly UseProblem[];
  /** An entry of `sources` or `tables` that is a text, in SQL; throws what is wrong with it. */
  declare?(sql: string): {
    readonly section: string; readonly name: string;
    readonly entry: Readonly<Record<string, unknown>>;
  };
  /** The link types that lead to equipment: devices stand on these, sources and sinks on others. */
  readonly drivers?: readonly string[];
  /** One sentence of what would be right about a tag on a link of this type, or null. */
  checkTag?(link: Link, tag: TagOnLink): string | null;
  /** The same of tags that are one group. */
  checkGroup?(link: Link, tags: readonly TagOnLink[]): string | null;
  /** What a write of a tag changes, to find writable tags that overlap (W13). */
  extents?(link: Link, tag: TagOnLink): readonly Extent[];
  /** All devices of the link obey what is written to the tag, and none answers. */
  isBroadcast?(linkType: string, tag: TagOnLink): boolean;
}

/** A part of what a write changes: units from … to of one area. */
export interface Extent {
  readonly area: string;
  readonly from: number;
  readonly to: number;
  /** Parts of one place do not overlap for that, each of them and the whole do. */
  readonly isPart?: true;
}

/** A source or sink of a link. */
export interface LinkUse {
  readonly section: "sources" | "sinks";
  readonly name: string;
  readonly settings: object;
}

export interface UseProblem {
  readonly use: LinkUse;
  /** Of the setting that is wrong, in those of the use. */
  readonly path: readonly string[];
  readonly why: string;
}

const wordOrder = z.enum(["ABCD", "CDAB", "BADC", "DCBA"])
  .describe("order of the bytes of a value wider than one register; ABCD = big-endian");

const groups = z.record(nameText, durationText("1ms", "1d")
  .describe("how often the group is polled, start to start"))
  .describe("groups of tags that are polled together; each is the stream device.group");

const range = z.tuple([z.number(), z.number()]).meta({ title: "two numbers: [from, to]" });

/** In a type or a device; a device may override single keys, so nothing is required here. */
export const tagSettings = z.strictObject({
  at: z.string().min(1).describe("address, such as `holding 9`, `input 0`, `coil 3` or `400010`"),
  type: tagTypeText.describe("type of the raw value"),
  group: z.string().describe("group it is polled in; may be left out if there is only one"),
  scale: z.number().describe("value = raw × scale + offset; default 1"),
  offset: z.number().describe("value = raw × scale + offset; default 0"),
  rawRange: range.describe("two raw values, and in `euRange` what they stand for; " +
    "instead of `scale` and `offset`"),
  euRange: range.describe("the values that the two of `rawRange` stand for"),
  signal: z.enum(["4-20mA"]).describe("`rawRange` is 4 and 20 mA: a broken wire " +
    "(to 3.6 mA) and a short circuit (from 21 mA) are bad values (NE 43)"),
  decimals: z.int().min(0).max(9).describe("decimals that a value read is rounded to; " +
    "left out: as it comes"),
  static: z.union([z.number(), z.boolean(), z.string().max(256)])
    .meta({ title: "a number, true, false or a text" })
    .describe("a constant instead of `at`: it stands in each row, of its `group` or of all"),
  wordOrder,
  eu: z.string().max(16).describe("engineering unit, such as °C"),
  access: z.enum(["read", "read-write"]).describe("default read"),
}).partial();

const tags = z.union([
  z.string().startsWith("file:").meta({ title: 'a CSV file: "file:types/name.csv"' }),
  z.record(nameText, tagSettings),
]).describe("tags by name, or a CSV file whose header has the settings' names");

const type = z.strictObject({
  version: z.int().min(1).max(1_000_000).optional().describe("version of this type, for people"),
  wordOrder: wordOrder.optional(),
  groups: groups.optional(),
  tags,
});

const device = z.strictObject({
  use: z.string().optional().describe("type whose groups and tags it has"),
  link: z.string().describe("link it is reached by"),
  station: z.union([
    z.int().min(0).max(255),
    z.string().regex(/^\{n\}$/).meta({ title: '"{n}"' }),
  ]).default(1).describe("station (unit) address; {n} is the number of a name pattern"),
  labels: z.record(z.string(), z.string()).default({}).describe("free words for grouping"),
  wordOrder: wordOrder.optional(),
  groups: groups.optional(),
  tags: tags.optional(),
});

const onError = z.union([
  z.literal("null").transform(() => ({ kind: "null" as const })),
  z.literal("hold").transform(() => ({ kind: "hold" as const })),
  z.strictObject({ stale: durationText("1s", "7d") })
    .transform(({ stale: ms }) => ({ kind: "stale" as const, ms })),
]);

const deadband = z.union([
  z.number().min(0).transform((band) => ({ band, percent: false })),
  z.string().regex(/^\d+(\.\d+)?%$/).meta({ title: 'a percentage such as "1%"' })
    .transform((text) => ({ band: Number.parseFloat(text), percent: true })),
]);

/** Rows that say nothing new are left out by a sink. */
const onChange = z.union([
  z.boolean().transform((on) => (on ? { deadbands: {}, every: null, atLeast: null } : null)),
  z.strictObject({
    deadband: z.union([deadband, z.record(nameText, deadband)]).optional(),
    atLeast: durationText("1s", "1d").optional(),
  }).transform(({ deadband: bands, atLeast = null }) => (isDeadband(bands)
    ? { deadbands: {}, every: bands, atLeast }
    : { deadbands: bands ?? {}, every: null, atLeast })),
  z.null(),
]);

const isDeadband = (bands: unknown): bands is Deadband =>
  bands !== undefined && typeof (bands as Deadband).percent === "boolean";

const table = {
  columns: z.record(nameText, typeText).describe("columns and their types, the key among them"),
  key: nameText.optional().describe("column a row is looked up by; no two rows have the same. " +
    "Without it the table is read as a whole, every half `ttl`, and joined by any condition"),
  ttl: durationText("100ms", "7d").prefault("10s")
    .describe("so long a row counts as good after the table has said it; then it is asked again"),
  capacity: z.int().min(16).max(limits.table_rows_max).default(limits.table_rows_default)
    .describe("rows that are kept; when there are more, the oldest is asked for again"),
  deadline: durationText("10ms", "1m").prefault("1s").describe("a later answer is none"),
  onError: onError.prefault("null").describe("what a row gets while the table cannot say: " +
    'NULL; nothing, it waits ("hold"); or what the table said at most so long after `ttl`, ' +
    'as an uncertain value ({ "stale": "10m" })'),
};

const model = z.strictObject({
  file: z.string().min(1).describe("ONNX file, relative to the configuration"),
  memory: sizeText("1MB", "4GB").prefault("32MB").describe("hard cap of the model's memory"),
  deadline: durationText("1ms", "10m").prefault("20ms")
    .describe("a later result is NULL with the state `late`"),
});

const date = z.string()
  .meta({ title: 'a date or a time with its zone: "2026-04-01", "2026-04-01T06:00:00+02:00"' })
  .transform((text, context): number => {
    // A date alone is midnight in the machine's zone, as the times of cron are.
    const day = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
    const time = day === null
      ? /[Z+-](?:\d\d:?\d\d)?$/.test(text) ? Date.parse(text) : NaN
      : new Date(Number(day[1]), Number(day[2]) - 1, Number(day[3])).getTime();
    if (!Number.isNaN(time)) return time;
    context.addIssue('expected a date or a time with its zone, such as "2026-04-01"');
    return z.NEVER;
  });

const schedule = z.strictObject({
  cron: z.string().optional()
    .describe("when it begins: minute hour day month weekday, in the machine's zone"),
  duration: durationText("1s", "31d").optional().describe("how long it runs then"),
  between: z.array(z.strictObject({ from: date, to: date })).max(64).default([])
    .describe("dates between which it runs at all"),
}).superRefine(({ cron, duration, between }, context) => {
  const problem = cron === undefined ? null : cronProblem(cron);
  if (problem !== null) context.addIssue({ code: "custom", path: ["cron"], message: problem });
  if ((cron === undefined) !== (duration === undefined)) {
    context.addIssue("cron says when it begins and duration how long it runs: give both");
  } else if (cron === undefined && between.length === 0) {
    context.addIssue("it says nothing: give cron and duration, between, or leave it out");
  }
  between.forEach(({ from, to }, i) => {
    if (from >= to) {
      context.addIssue({ code: "custom", path: ["between", i], message: "from must be before to" });
    }
  });
});

const restart = z.strictObject({
  attempts: z.int().min(0).max(1_000_000).default(0)
    .describe("after so many it stays failed; 0 = without end"),
  delay: durationText("10ms", "1d").prefault("1s")
    .describe("before the first, doubled for each further one"),
  most: durationText("10ms", "1d").prefault("1m").describe("the longest such pause"),
});

const eventTime = z.strictObject({
  lateTolerance: durationText("0ms", "1d").prefault("1s")
    .describe("how much later than the newest row a row may come; later ones are left out"),
  idleTimeout: durationText("10ms", "1d").optional()
    .describe("after so long without a row event time goes on by the clock; absent = it waits"),
  maxAhead: durationText("1s", "7d").prefault("1h")
    .describe("a row whose time is further ahead of the gateway's is left out"),
  rows: z.int().min(16).max(limits.ring_rows_max - 1).optional()
    .describe("rows that may wait; absent = twice what the declared rate brings in the tolerance"),
}).describe("the rule goes by the source time of its rows, not by that of the gateway");

const rule = z.strictObject({
  sql: z.string().min(1).describe("SELECT … FROM …"),
  eventTime: eventTime.optional(),
  emptyWindows: z.union([z.boolean(), z.literal("[]")]).default(false)
    .describe('a tumbling or hopping window that gives no row gives one of NULLs (true), or an ' +
      'empty list ("[]")'),
  sendError: z.boolean().default(false)
    .describe("what failed is told in a column error, and what was left out as a row of its own"),
  to: z.array(z.union([
    z.string().meta({ title: "the name of a sink" }),
    z.strictObject({
      write: z.string().describe("tag that is written: device.tag"),
      from: z.string().describe("column of the rule's result"),
    }),
  ])).default([]).describe("sinks, and tags it writes"),
  schedule: schedule.optional().describe("when it runs; always, if left out"),
  restart: restart.prefault({}).describe("what becomes of it when it fails"),
});

/** As SQL spells a name, without quotes. */
const functionName = z.string().regex(/^(?!__)[A-Za-z_][A-Za-z0-9_]{0,63}$/)
  .meta({ title: "a name of letters, digits and _" });

const userFunction = z.strictObject({
  parameters: z.array(functionName).max(64).default([]).describe("names that the expression uses"),
  sql: z.string().min(1).describe("SQL expression of the parameters"),
}).describe('an expression, and the names in it: { "parameters": ["v", "a"], "sql": "v * a" }');

const commands = z.strictObject({
  link: z.string().describe("link of the broker"),
  // Answers go to the topic with `/reply` behind it, which a wildcard would take for commands.
  topic: z.string().min(1)
    .regex(/^[^+#\0]+$/, "commands come by one topic, without the wildcards + and #")
    .describe("topic of write commands; {gateway} is gateway.id"),
});

const api = z.strictObject({
  listen: z.string().default("127.0.0.1:8600").describe("host:port of the REST API"),
  token: secretText().optional()
    .describe("needed to listen elsewhere than on loopback, and for POST /write"),
});

const store = z.strictObject({
  directory: z.string().min(1).default("/var/lib/tagwerk")
    .describe("where audit and state are kept"),
  maxMB: z.int().min(16).max(1_000_000).default(512).describe("MB the audit may take"),
  stateMB: z.int().min(16).max(1_000_000).default(128)
    .describe("MB that checkpoints and the journal of sources at qos 1 may take"),
  checkpoint: durationText("100ms", "1d").prefault("60s")
    .describe("how often the state of rules is kept, at most"),
});

const rate = z.int().min(1).max(1_000_000);

const tagPolicy = z.strictObject({
  allow: z.array(z.string().regex(/^(rest|mqtt|cli|prove|rule:.+)$/)
    .meta({ title: '"rest", "mqtt", "cli", "prove" or "rule:NAME"' })).default([])
    .describe("who may write the tag"),
  maxMode: z.enum(["off", "shadow", "armed"]).default("shadow")
    .describe("the most that arm can give"),
  min: z.number().optional().describe("smallest value, in engineering units; a number needs it"),
  max: z.number().optional().describe("largest value, in engineering units; a number needs it"),
  values: z.array(z.string()).min(1).max(limits.policy_texts_max).optional()
    .describe("texts that may be written: a tag of type text(n) needs this or `pattern`"),
  pattern: z.string().min(1).max(limits.policy_pattern_max).optional()
    .describe("regular expression (RE2) that a text must match as a whole"),
  outside: z.enum(["reject", "clamp"]).default("reject").describe("what happens to other values"),
  maxStep: z.number().gt(0).nullable().default(null)
    .describe("largest change against the value read for the command"),
  deadband: z.number().min(0).default(0).describe("smaller changes are not written"),
  minInterval: durationText("1ms", "1d").prefault("1s").describe("least time between two writes"),
  writesPerDay: rate.default(5000).describe("writes in 24 hours, counted from the audit"),
  inputMaxAge: durationText("1ms", "1d").prefault("1s").describe("oldest input of a rule's write"),
  permit: z.array(z.string().min(1)).default([])
    .describe("SQL conditions that must all be TRUE and good"),
  maxAge: durationText("1ms", "1d").prefault("1s").describe("oldest value of a permit"),
  onLoss: z.strictObject({
    after: durationText("10ms", "1d").describe("time without a command"),
    value: z.union([z.literal("hold"), z.number()]).describe("what is written then"),
    step: z.enum(["limited", "any"]).default("limited")
      .describe("any lifts maxStep for this write"),
  }).optional().describe("what happens when commands stop; required for a tag that a rule writes"),
  readBack: z.literal("none").nullable().default(null)
    .describe('"none": somebody knows that nothing is read back; a broadcast needs it'),
  heartbeat: z.looseObject({}).optional().describe("for a standing arming: not in this version"),
});

export const policySchema = z.record(z.string(), tagPolicy);

const later = z.looseObject({ type: z.string() });

/** One object of a component by its `type`, together with what all of them have. */
function byType<T extends z.core.$ZodLooseShape>(
  known: Readonly<Record<string, z.ZodObject>>, shape: (type: string) => T,
) {
  const options = Object.entries(known).sort(([a], [b]) => a < b ? -1 : 1).map(([type, settings]) =>
    settings.safeExtend({ ...shape(type), type: z.literal(type) }).strict());
  if (options.length === 0) return later;
  return z.discriminatedUnion("type", options as unknown as [z.ZodObject]);
}

export function gatewaySchema(components: Components) {
  const link = (type: string, what: string): z.core.$ZodLooseShape => type in components.links
    ? { link: z.string().describe(what) } : {};
  return z.strictObject({
    $schema: z.string().optional().describe("for editors"),
    gateway: z.strictObject({
      id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/)
        .meta({ title: "an id of letters, digits, _, . and -" }).describe("name of this gateway"),
      profile: z.string().default("generic-512mb").describe("firmware profile: what the board has"),
    }),
    policy: z.union([
      z.string().startsWith("file:").meta({ title: 'a policy file: "file:write-policy.json"' }),
      z.record(z.string(), z.unknown()),
    ]).optional().describe("who may write what; nobody may write what it does not name"),
    types: z.record(nameText, type).default({}).describe("kinds of devices"),
    links: z.record(nameText, byType(components.links, () => ({}))).default({})
      .describe("connections to equipment, brokers and services"),
    devices: z.record(devicePattern, device).default({}).describe("equipment, by name or pattern"),
    sources: z.record(nameText, byType(components.sources, (type) => ({
      ...link(type, "link it comes from"),
      columns: z.record(nameText, columnText).optional()
        .describe("columns and their types; without them any field of a message is one, and of " +
          "no fixed type"),
      valueBytes: z.int().min(16).max(limits.slot_bytes_max).default(64)
        .describe("bytes of a value of no declared length at most; a longer one is an error"),
      messageBytes: z.int().min(16).max(limits.mqtt_message_bytes_max).default(4096)
        .describe("without `columns`: bytes of a whole message, which `SELECT *` keeps"),
    }))).default({}).describe("streams that do not come from equipment"),
    tables: z.record(nameText, byType(components.tables, () => table)).default({})
      .describe("tables that rules look rows up in"),
    models: z.record(nameText, model).default({}).describe("models that rules call by infer()"),
    functions: z.record(functionName, userFunction).default({})
      .describe("named SQL expressions, to be called in rules and permits"),
    rules: z.record(nameText, rule).default({}).describe("streaming SQL"),
    sinks: z.record(nameText, byType(components.sinks, (type) => ({
      ...link(type, "link it goes to"),
      omitIfEmpty: z.boolean().default(false)
        .describe('true: the empty list of a window without rows is not sent (`emptyWindows` of ' +
          'a rule is "[]")'),
      onChange: onChange.default(null)
        .describe("true: only rows in which a value or its quality is another than the one sent " +
          "last; or with `deadband` (0.5, \"1%\" of the value sent last, or an object of these " +
          "by column) and `atLeast` (a row is sent at least so often)"),
    }))).default({}).describe("where results go"),
    commands: commands.optional().describe("writes by MQTT; absent = none"),
    api: api.prefault({}).describe("REST API"),
    store: store.prefault({}).describe("durable store"),
  });
}

/** What all tables have, whatever their type. */
export type TableTexts = Readonly<Record<string, { readonly type: string }
  & z.output<z.ZodObject<typeof table>>>>;

export type GatewayText = z.output<ReturnType<typeof gatewaySchema>>;
export type DeviceText = z.output<typeof device>;
export type TagText = z.output<typeof tagSettings>;

const sections = { links: "link", sources: "source", tables: "table", sinks: "sink" } as const;

/** What comes later and is not called unknown until then, by section. */
export const laterTypes: Readonly<Record<keyof typeof sections, readonly string[]>> = {
  links: ["iec104", "dnp3", "bacnet", "http", "sql", "redis", "nats", "kafka"],
  sources: ["sql", "redis", "nats", "kafka"],
  tables: [],
  sinks: ["http", "sql", "file", "redis", "nats", "kafka"],
};

/** What is in the configuration once entries in SQL are translated. */
export function translatedSchema(components: Components): Record<string, unknown> {
  const schema = z.toJSONSchema(gatewaySchema(components), { io: "input", unrepresentable: "any" });
  return { ...schema, title: "Tagwerk configuration" };
}

/** For editors (`"$schema"`) and the manual. */
export function jsonSchema(components: Components): Record<string, unknown> {
  const schema = translatedSchema(components);
  type Section = { readonly additionalProperties: object };
  const properties = { ...schema["properties"] as Record<string, Section> };
  for (const [section, what] of [["sources", "STREAM"], ["tables", "TABLE"]] as const) {
    const known = properties[section]!;
    const inSql = { type: "string", description: `the same in SQL: CREATE ${what} …` };
    properties[section] = { ...known,
      additionalProperties: { anyOf: [known.additionalProperties, inSql] } };
  }
  return { ...schema, properties };
}

export function policyJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(policySchema, { io: "input", unrepresentable: "any" });
  return { ...schema, title: "Tagwerk write policy" };
}
