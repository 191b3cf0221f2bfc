import { z } from "zod";
import { limits, nearest } from "../../base.ts";
import { durationText, typeText, type TagOnLink } from "../../config.ts";
import { tagColumn } from "../../ring.ts";
import { kindOf, shownRegisters, writtenRegisters } from "./map.ts";
import type { Modbus } from "./modbus.ts";

export const linkSettings = z.strictObject({
  port: z.int().min(1).max(65535).default(502).describe("TCP port of this gateway that clients " +
    "connect to; below 1024 the process needs the right to (CAP_NET_BIND_SERVICE)"),
  address: z.string().min(1).default("0.0.0.0").describe("address of this gateway to listen on"),
  station: z.int().min(0).max(255).optional()
    .describe("the station (unit) that is answered; absent = any, as there is only one"),
  clients: z.int().min(1).max(limits.register_clients_max).default(8)
    .describe("connections at a time; who comes when all are taken is turned away"),
  from: z.array(z.string().min(1)).min(1).optional()
    .describe("addresses that may connect; absent = all that can reach the port. Modbus knows no " +
      "password"),
  idleTimeout: durationText("1s", "1d").prefault("60s")
    .describe("a connection that asked nothing for so long gives way to a new one"),
});
export type LinkSettings = z.output<typeof linkSettings>;

const form = {
  type: typeText.optional(),
  scale: z.number().optional().describe("value = register × scale + offset; default 1"),
  offset: z.number().optional().describe("value = register × scale + offset; default 0"),
  wordOrder: z.enum(["ABCD", "CDAB", "BADC", "DCBA"]).optional()
    .describe("order of the bytes of a value wider than one register; ABCD = big-endian"),
};

const shown = z.union([
  z.string().meta({ title: 'a tag, "press.temperature", or a rule\'s column, "hold.target"' }),
  z.strictObject({
    value: z.string().describe("a tag, or a rule's column"),
    ...form,
    onBad: z.union([z.number(), z.literal("hold")]).optional()
      .describe("what stands there while there is no value: a number, or the last known value; " +
        "absent = NaN, of whole numbers what they have least use for (0x8000, 0xffff)"),
  }),
  z.strictObject({
    quality: z.string().describe("how good it is, as a uint16: 192 good, 64 uncertain, 0 bad"),
  }),
  z.strictObject({
    counter: z.string().describe("counts its good values, as a uint16: it stands still when they " +
      "stop"),
  }),
]).meta({ title: 'a name, or { "value" }, { "quality" } or { "counter" }' });
export type RegisterText = z.output<typeof shown>;

const sink = z.strictObject({
  registers: z.record(z.string(), shown)
    .describe('what stands where: by address, such as "holding 0", "input 4", "discrete 1" or ' +
      '"400001", a name or { "value", "type", … }'),
  maxAge: durationText("100ms", "1d").prefault("10s")
    .describe("what is older counts as bad: a rule that is stopped gives no newer value"),
});
export type SinkSettings = z.output<typeof sink>;

const written = z.union([
  z.string().meta({ title: "the name of a column" }),
  z.strictObject({ column: z.string().describe("column that it fills"), ...form }),
]).meta({ title: 'the name of a column, or { "column", "type", … }' });
export type WrittenText = z.output<typeof written>;

const source = z.strictObject({
  registers: z.record(z.string(), written)
    .describe('what a client writes: by address, such as "holding 100" or "coil 0", a column'),
  rowsPerSecond: z.number().min(0.001).max(500_000).default(100)
    .describe("requests a second in a burst; decides how many rows the stream holds"),
});
export type SourceSettings = z.output<typeof source>;

type Tell = (path: readonly (string | number)[], message: string) => void;

export function sinkSettings(modbus: Modbus) {
  return checked(sink, (given, tell) => {
    for (const { at, tag } of shownRegisters(given)) {
      const wrong = modbus.checkTag(tag);
      if (wrong !== null) tell(["registers", at], wrong);
    }
    if ((given as { onChange?: unknown }).onChange != null) {
      tell(["onChange"], "registers show the newest row, and their age counts: leave it out");
    }
  });
}

export function sourceSettings(modbus: Modbus) {
  return checked(source, (given, tell) => {
    const { columns } = given as { columns?: Record<string, unknown> };
    if (columns === undefined) {
      tell(["registers"], '"columns" is missing: it says which columns they fill, and of which ' +
        'types, such as { "setpoint": "float32" }');
      return;
    }
    const registers = writtenRegisters(given);
    for (const { at, column, tag } of registers) {
      const declared = columns[column];
      const why = !Object.hasOwn(columns, column)
        ? `no column ${column}; there are ${Object.keys(columns).join(", ")}` +
          meant(column, Object.keys(columns))
        : notWritable(at, tag.type) ?? modbus.checkTag({ ...tag, writable: false }) ??
          misfit(column, declared, tag);
      if (why !== null) tell(["registers", at], why);
    }
    for (const column of Object.keys(columns)) {
      if (registers.every((register) => register.column !== column)) {
        tell(["columns", column], "no register fills this column");
      }
    }
  });
}

function checked<T extends z.ZodObject>(
  schema: T, check: (given: z.output<T>, tell: Tell) => void,
): T {
  return schema.superRefine((given, context) =>
    check(given as z.output<T>, (path, message) =>
      context.addIssue({ code: "custom", path: [...path], message }))) as T;
}

function meant(name: string, known: readonly string[]): string {
  const found = nearest(name, known);
  return found === null ? "" : `; did you mean ${found}?`;
}

/** Clients write holding registers and coils, and numbers. */
function notWritable(at: string, type: string): string | null {
  if (/^(?:input|discrete)\b|^(?:\d+!)?[13]\d{4,6}\b/.test(at.trim())) {
    return "clients can only read this: they write holding registers and coils";
  }
  if (type.includes("(") || type === "time") {
    return `a ${type} cannot be written here: numbers and bool can`;
  }
  return type.endsWith("int8")
    ? `a ${type} is half a register, and clients write whole ones: use int16 or uint16` : null;
}

function misfit(column: string, declared: unknown, tag: TagOnLink): string | null {
  if (typeof declared !== "string") return `the column ${column} has to be of a plain type`;
  const kind = kindOf(tag);
  if (tagColumn("", declared).kind === kind) return null;
  const gives = kind === "float64" ? "numbers with a fraction" : `a ${tag.type}`;
  return `the register gives ${gives}, but the column ${column} is declared ${declared}: give ` +
    "the register its own type, or the column another";
}
