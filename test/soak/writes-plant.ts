/** What the soak of writes runs on: configuration, policy, plant, and the watched rules. */

export const topic = "soak/commands";
export const token = "soak-writes";

const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const setpoints = (n: number): object => Object.fromEntries(numbers(n).map((i) =>
  [`sp${i}`, { at: `holding ${4 * i}`, access: "read-write",
    ...(i % 2 === 0 ? { type: "int16", scale: 0.1 } : { type: "float32", wordOrder: "CDAB" }) }]));

/** The same where places are bytes of a data block, or names. */
const forms = [{ type: "int16", scale: 0.1 }, { type: "float32" }];
const named = (n: number, at: (i: number) => string): object => Object.fromEntries(
  numbers(n).map((i) => [`sp${i}`, { at: at(i), access: "read-write", ...forms[i % 2] }]));
const text = (at: string): object => ({ at, type: "text(16)", access: "read-write" });

const sockets = ["north", "south", "east", "west"];
/** Legal writes, and what is refused whatever the tag is. */
export const free = [
  ...sockets.flatMap((link) => numbers(9).map((i) => `${link}.sp${i}`)),
  ...[1, 2].flatMap((n) => numbers(4).map((i) => `drive${n}.sp${i}`)),
  ...["step", "logix"].flatMap((link) => numbers(4).map((i) => `${link}.sp${i}`)),
  "supply.volt", "supply.curr", "plc7.sp0", "printer.speed", "ua.sp0", "ua.sp1",
  "ua.limit",
];
const texts = ["plc7.lot0", "plc7.lot1", "printer.lot", "ua.lot0", "north.lot", "logix.lot"];
/** Armed for a moment only, over sockets and on the bus. */
export const brief = ["special.sp4", "drive1.sp4", "step.sp4", "logix.sp4"];
/** Attempts on these always meet the code. */
export const places: Readonly<Record<string, readonly string[]>> = {
  "not-armed": ["special.sp0"], "permit-false": ["special.sp1"], "permit-unknown": ["special.sp2"],
  "too-soon": ["special.sp3"], "external-change": numbers(4).map((i) => `seldom.sp${i}`),
  unread: ["broken.sp0"],
  duplicate: ["north.sp0", "south.sp1", "drive1.sp0", "step.sp0", "logix.sp1"],
  text: texts, "text-not-allowed": texts, broadcast: ["all.sp0"],
  // The connection of OPC UA that a late answer costs is no quick one to make anew.
  tight: free.filter((tag) => !tag.startsWith("ua.")),
};
const label = "printer.label";
export const isText = (tag: string): boolean => tag === label || texts.includes(tag);

interface WatchedRule {
  readonly sql: string;
  readonly policy?: object;
  /** It never writes, and this is why. */
  readonly never?: string;
  /** What it writes is a value that this tag had. */
  readonly copies?: string;
  /** The tag whose polls make its rows, and what it writes, if it is none of `ruled`. */
  readonly rows?: string;
  readonly to?: string;
  /** It writes a second tag from the same row. */
  readonly twin?: true;
  readonly unarmed?: true;
}

const copy = "SELECT temperature AS target FROM ruled.fast";
export const rules: Readonly<Record<string, WatchedRule>> = {
  legal: { sql: copy, copies: "ruled.temperature" },
  range: { sql: "SELECT temperature + 500 AS target FROM ruled.fast", never: "out-of-range" },
  shadow: { sql: copy, unarmed: true, never: "not-armed" },
  // Its loss is written at each orderly stop.
  rapid: { sql: copy, copies: "ruled.temperature", policy: { minInterval: "1s",
    onLoss: { after: "30s", value: 40, step: "any" } } },
  gated: { sql: copy, policy: { permit: ["ruled.door"], maxAge: "500ms" },
    copies: "ruled.temperature" },
  blind: { sql: copy, policy: { permit: ["broken.ready"] }, never: "permit-unknown" },
  // Polled once a second: its value is too old for most rows.
  stale: { sql: "SELECT tank.level AS target FROM ruled.fast", policy: { inputMaxAge: "300ms" },
    copies: "tank.level" },
  // Every other poll of it is answered with an exception.
  doubtful: { sql: "SELECT level AS target FROM flaky.fast", copies: "flaky.level",
    rows: "flaky.level" },
  // Its tag is changed from outside again and again.
  yields: { sql: copy, copies: "ruled.temperature" },
  both: { sql: copy, copies: "ruled.temperature", twin: true },
  ...Object.fromEntries(["step", "logix"].map((plc): [string, WatchedRule] => [`by-${plc}`, {
    sql: `SELECT temperature AS target FROM ${plc}.fast`, rows: `${plc}.temperature`,
    copies: `${plc}.temperature`, to: `${plc}.target`,
    policy: { permit: [`${plc}.door`], maxAge: "500ms" },
  }])),
  // A text, of what is measured elsewhere.
  labels: { sql: "SELECT concat('LOT-', cast(cast(temperature, 'bigint'), 'string')) AS target " +
    "FROM ruled.fast",
    rows: "ruled.temperature", to: label },
};
const names = Object.keys(rules);
export const target = (rule: string): string =>
  rules[rule]!.to ?? `ruled.sp${names.indexOf(rule)}`;
const targets = (rule: string): string[] =>
  [target(rule), ...rules[rule]!.twin ? [`ruled.sp${names.length}`] : []];

/** Armed as long as the gateway runs. */
export const armed = [...free, ...texts, ...places["broadcast"]!, "special.sp1", "special.sp2",
  "special.sp3", "broken.sp0", ...places["external-change"]!,
  ...names.filter((name) => !rules[name]!.unarmed).flatMap(targets)];

const unlimited = { allow: ["cli", "rest", "mqtt"], maxMode: "armed", minInterval: "1ms",
  writesPerDay: 1_000_000 };
const base = { ...unlimited, min: 0, max: 100 };
const ofTexts = { ...unlimited, pattern: "LOT-[0-9]+" };
export const policy = {
  ...Object.fromEntries([...free, ...brief, ...places["external-change"]!].map((t) => [t, base])),
  ...Object.fromEntries(texts.map((tag) => [tag, ofTexts])),
  "all.sp0": { ...base, readBack: "none" },
  "special.sp0": base,
  "special.sp1": { ...base, permit: ["special.no"], maxAge: "5s" },
  "special.sp2": { ...base, permit: ["broken.ready"], maxAge: "5s" },
  "special.sp3": { ...base, minInterval: "1d" },
  "broken.sp0": { ...base, maxStep: 50 },
  ...Object.fromEntries(names.flatMap((name) => targets(name).map((tag) => [tag, {
    ...isText(tag) ? ofTexts : base, allow: [`rule:${name}`], minInterval: "20ms",
    inputMaxAge: "2s", onLoss: { after: "30s", value: "hold" }, ...rules[name]!.policy }]))),
};

const reading = { at: "input 0", type: "float32" };
const groups = { fast: "200ms" };
const quick = { fast: "50ms" };
export const config = {
  links: {
    ...Object.fromEntries([...sockets, "special", "ruled"].map((name, i) =>
      [name, { type: "modbus-tcp", host: "192.0.2.1", port: 502 + i, timeout: "1s" }])),
    bus: { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 115200, timeout: "1s",
      broadcast: true, turnaround: "100ms" },
    step: { type: "s7", host: "192.0.2.1", timeout: "1s" },
    logix: { type: "ethernet-ip", host: "192.0.2.1", timeout: "1s" },
    supply: { type: "telegram-tcp", host: "192.0.2.1", port: 5025, telegrams: {
      // One that acknowledges nothing is asked for the value after the write.
      volt: { send: "VOLT?", write: "VOLT {value:1}", example: "0.0" },
      curr: { send: "CURR?", write: "CURR {value:1}", acknowledge: "OK", example: "0.0" } } },
    // Not the simulator's but those of `machines.py`, of other makers.
    plc7: { type: "s7", host: "127.0.0.1", port: 1102, timeout: "1s" },
    printer: { type: "telegram-tcp", host: "127.0.0.1", port: 9100, telegrams: {
      ...Object.fromEntries([["lot", "LOT"], ["label", "LBL"]].map(([name, word]) => [name,
        { send: `${word}?`, write: `${word} {value}`, acknowledge: "OK", example: "LOT0" }])),
      speed: { send: "SPD?", write: "SPD {value:1}", acknowledge: "OK", example: "0.0" } } },
    ua: { type: "opcua", host: "127.0.0.1", port: 4840, path: "/soak", security: "None",
      timeout: "1s" },
    broker: { type: "mqtt", host: "192.0.2.2" },
  },
  commands: { link: "broker", topic },
  devices: {
    ...Object.fromEntries(sockets.map((link) => [link, { link, groups, tags: {
      ...setpoints(9), ...link === "north" ? { lot: text("holding 40") } : {} } }])),
    ...Object.fromEntries([1, 2].map((station) =>
      [`drive${station}`, { link: "bus", station, groups, tags: setpoints(5) }])),
    // All stations of the bus at once, which nobody answers.
    all: { link: "bus", station: 0, groups, tags: {
      sp0: { at: "holding 100", type: "int16", scale: 0.1, access: "read-write" } } },
    special: { link: "special", station: 1, groups: { slow: "1s" }, tags: {
      ...setpoints(5), no: { at: "discrete 0", type: "bool" } } },
    // Polled so seldom that a change from outside is met by the command's own read.
    seldom: { link: "special", station: 2, groups: { slow: "30m" }, tags: setpoints(4) },
    broken: { link: "special", station: 3, groups, tags: {
      ...setpoints(1), ready: { at: "discrete 0", type: "bool" } } },
    ruled: { link: "ruled", station: 1, groups: quick, tags: {
      ...setpoints(names.length + 1), temperature: reading,
      door: { at: "discrete 0", type: "bool" } } },
    flaky: { link: "ruled", station: 2, groups: quick, tags: { level: reading } },
    tank: { link: "ruled", station: 3, groups: { slow: "1s" }, tags: { level: reading } },
    step: { link: "step", groups: quick, tags: {
      ...named(5, (i) => (i % 2 === 0 ? `DB1.DBW${4 * i}` : `DB1.DBD${4 * i}`)),
      target: { at: "DB2.DBD4", type: "float32", access: "read-write" },
      temperature: { at: "DB2.DBD0", type: "float32" }, door: { at: "I0.0", type: "bool" } } },
    logix: { link: "logix", groups: quick, tags: {
      ...named(5, (i) => (i % 2 === 0 ? `Line.Setpoint${i}` : `Line.Setpoints[${i}]`)),
      target: { at: "Line.Target", type: "float32", access: "read-write" },
      lot: text("Line.Lot"),
      temperature: { at: "Line.Temperature", type: "float32" },
      door: { at: "Line.Door", type: "bool" } } },
    supply: { link: "supply", groups, tags: Object.fromEntries(["volt", "curr"].map((at) =>
      [at, { at, type: "float64", access: "read-write" }])) },
    plc7: { link: "plc7", groups, tags: {
      ...named(1, () => "DB1.DBW0"), lot0: text("DB1.DBB100"), lot1: text("DB1.DBB120") } },
    printer: { link: "printer", groups, tags: {
      lot: text("lot"), label: text("label"),
      speed: { at: "speed", type: "float64", access: "read-write" } } },
    ua: { link: "ua", groups, tags: {
      sp0: { at: "nsu=urn:soak;s=sp0", type: "float64", access: "read-write" },
      sp1: { at: "nsu=urn:soak;s=sp1", type: "int16", scale: 0.1, access: "read-write" },
      limit: { at: "nsu=urn:soak;s=limit call nsu=urn:soak;s=Soak nsu=urn:soak;s=SetLimit",
        type: "float64", access: "read-write" },
      lot0: text("nsu=urn:soak;s=lot0") } },
  },
  rules: Object.fromEntries(names.map((name) => [name,
    { sql: rules[name]!.sql, to: targets(name).map((write) => ({ write, from: "target" })) }])),
  policy: "file:policy.json",
  store: { directory: "store", maxMB: 2000 },
};

const walk = { kind: "walk", start: 50, min: 20, max: 80, step: 2, every: "50ms" };
export const plant = {
  "special.no": { kind: "constant", value: false },
  "ruled.temperature": walk, "flaky.level": walk, "tank.level": walk,
  "step.temperature": walk, "logix.temperature": walk,
  ...Object.fromEntries(["ruled", "step", "logix"].map((device) =>
    [`${device}.door`, { kind: "square", min: 0, max: 1, period: "2s" }])),
};

/** In force from arming on: what is broken could be read until then. */
export const faults = ["fault special/3 exception 2 only reads",
  "fault ruled/2 exception 2 only reads chance 0.5"];

/** What the judge works out again: the tag whose polls make a rule's rows, and its inputs. */
export const inputs = names.filter((name) => rules[name]!.never === undefined).map((name) => {
  const { rows = "ruled.temperature", copies = rows } = rules[name]!;
  return `${name}=${[...new Set([rows, copies])].join(",")}`;
});
