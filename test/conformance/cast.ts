import { Encoder } from "cbor-x/index-no-eval";
import { componentSchemas } from "../../src/cli/examine.ts";
import { createDecoder, type DecoderSettings } from "../../src/codec.ts";
import { load, type Source } from "../../src/config.ts";
import {
  ABSENT, Arena, DynReader, GOOD, isError as isErrorState, NULL, readCell, Ring, tagColumn,
  type Column, type ColumnSpec,
} from "../../src/ring.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { declaration } from "../../src/sql.ts";
import { runScalar } from "./functions.ts";
import {
  type Case, compare, dynOf, type Json, jsonOf, jsonOfDyn, type Outcome, unsupported,
} from "./vectors.ts";

/**
 * Conversions within a kind are what sources do, with or without strict validation: a message is
 * decoded by the source that a configuration declares.
 */
export function runCast(c: Case): Outcome {
  const expected = c.expect as Json;
  switch (c.kind) {
    case "format_time":
      return runScalar("format_time", [c.value as Json, c.format as string], expected);
    case "schema": return runSchema(c, expected);
    case "parse_time": return runValue(c, "datetime", expected);
    case "unix_milli": {
      const expect = expected as { $int?: string };
      return runValue(c, "datetime",
        expect.$int === undefined ? expected : { $ts: Number(expect.$int) });
    }
    case "cast": {
      const within = c.mode !== undefined && c.mode !== "all";
      if (within || (c.format ?? "") !== "") return runValue(c, c.to as string, expected);
      return runScalar("cast", [c.value as Json, c.to as string], expected);
    }
    default: return unsupported(String(c.kind));
  }
}

const error: Json = { $error: true };
/** Room for whatever the cases have: in SQL a text has no length. */
const room = `WITH (EXTRA='{"valueBytes":4096}', `;

function runSchema(c: Case, expected: Json): Outcome {
  const source = sourceOf(declaration((c.ddl as string).replace("WITH (", room)).entry);
  if (source === null) return compare(error, expected);
  const row = decoded(source, new TextEncoder().encode(c.json as string));
  if (row === null) return compare(error, expected);
  const ts = c.eventTime === true ? row.time : undefined;
  // A row without a time is none where time is the row's own.
  if (ts !== undefined && Number.isNaN(ts)) return compare(error, expected);
  return compare({ values: row.values, ...(ts === undefined ? {} : { ts }) }, expected);
}

const types: Readonly<Record<string, string>> = {
  bigint: "int64", float: "float64", string: "text(64)", boolean: "bool", bytea: "bytes(64)",
  datetime: "time",
};

/** One value in a message that, unlike JSON, tells bytes and times apart. */
function runValue(c: Case, to: string, expected: Json): Outcome {
  const { format, timezone = "UTC" } = c;
  const source = sourceOf({
    type: "mqtt", topic: "t", link: "broker", format: "cbor", strict: true, timeZone: timezone,
    columns: { v: types[to] }, ...(format === undefined || format === "" ? {}
      : { timeFormat: format }),
  });
  if (source === null) return compare(error, expected);
  const encoder = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false });
  const row = decoded(source, encoder.encode({ v: dynOf(c.value as Json) }));
  return compare(row === null ? error : row.values["v"]!, expected);
}

/** The source of a configuration; null: `check` refuses it. */
function sourceOf(entry: Readonly<Record<string, unknown>>): Source | null {
  const config = {
    gateway: { id: "conformance" }, links: { broker: { type: "mqtt", host: "localhost" } },
    sources: { demo: { link: "broker", ...entry } },
  };
  return load(JSON.stringify(config), {
    path: "/conformance/gateway.json", env: {}, readFile: () => "",
    components: componentSchemas({ drivers, connectors, tables }),
  }).gateway?.sources[0] ?? null;
}

interface Decoded {
  readonly values: Record<string, Json>;
  readonly time: number;
}

/** The row of one message; null: it is refused, or a value in it is an error. */
function decoded({ columns, open, settings }: Source, message: Uint8Array): Decoded | null {
  const { time } = settings as DecoderSettings;
  const own: ColumnSpec[] = open !== null && time !== undefined ? [tagColumn(time, "time")] : [];
  const whole: ColumnSpec[] = open === null ? []
    : [{ name: "*", kind: "json", slot: open.message_bytes, path: [] }];
  const layout = Ring.layout("demo", [...columns, ...own, ...whole], 16);
  const { ring } = Ring.create(Arena.create(layout.bytes), layout);
  if (createDecoder(ring, settings as DecoderSettings).decode(message, 0, GOOD) === 0) return null;
  const shown = open === null ? ring.columns : [ring.column("*")!];
  const values: Record<string, Json> = {};
  for (const column of shown) {
    const state = ring.arena.U[column.state]!;
    if (isErrorState(state)) return null;
    if (state === ABSENT) continue;
    const value = state === NULL ? null : valueOf(ring, column);
    if (column.name === "*") Object.assign(values, value);
    else values[column.name] = value;
  }
  return { values, time: ring.arena.F[ring.sourceAt]! };
}

const reader = new DynReader();

function valueOf(ring: Ring, column: Column): Json {
  if (column.kind === "dyn") return jsonOfDyn(reader.read(ring.arena.U, column.payload));
  const value = readCell(ring, column, 0);
  return column.kind === "json" ? JSON.parse(value as string) as Json
    : jsonOf({ state: GOOD, value: value as string }, column.kind);
}
