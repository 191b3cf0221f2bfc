import { limits } from "../base.ts";
import type { Create, CreateColumn, CreateType, Literal } from "./ast.ts";
import { parse } from "./create.ts";
import { SqlFault } from "./fault.ts";

/** `CREATE STREAM|TABLE` as the entry of a configuration that it is a second spelling of. */
export interface Declaration {
  readonly section: "sources" | "tables";
  readonly name: string;
  readonly entry: Readonly<Record<string, unknown>>;
}

/** What the data source is called in the settings of a type. */
const places: Readonly<Record<string, string>> = {
  mqtt: "topic", file: "file", csv: "file", sqlite: "file", http: "url", sql: "url", redis: "url",
};

/** `DELIMITED` is eKuiper's name for CSV. */
const formatOf = (name: string): string => (name === "delimited" ? "csv" : name);

/** Options that mean nothing here: every stream is shared, and none is only for a while. */
const idle = new Set(["SHARED", "TEMP", "VERSION"]);

/** Bytes of a text, of bytes, of an array or object, for which SQL has no length. */
const value_bytes = 64;

export function declaration(sql: string): Declaration {
  const [create, more] = parse(sql);
  if (create?.kind !== "create" || more !== undefined) {
    throw new SqlFault("syntax", "Here stands one CREATE STREAM or CREATE TABLE", sql,
      more?.span ?? create?.span ?? { from: 0, to: sql.length });
  }
  return create.what === "stream" ? streamOf(sql, create) : tableOf(sql, create);
}

function streamOf(sql: string, create: Create): Declaration {
  const { name, columns } = create;
  const { settings, extra } = settingsOf(sql, create, ["FORMAT", "DELIMITER", "STRICT_VALIDATION",
    "TIMESTAMP", "TIMESTAMP_FORMAT"]);
  const { FORMAT, DELIMITER, STRICT_VALIDATION, TIMESTAMP, TIMESTAMP_FORMAT } = create.options;
  const bytes = typeof extra["valueBytes"] === "number" ? extra["valueBytes"] : value_bytes;
  return { section: "sources", name, entry: {
    ...settings,
    ...(columns.length === 0 ? {} : { columns: columnsOf(columns, bytes) }),
    ...(FORMAT === undefined ? {} : { format: formatOf(FORMAT.toLowerCase()) }),
    ...(DELIMITER === undefined ? {} : { delimiter: DELIMITER }),
    ...(STRICT_VALIDATION === undefined ? {}
      : { strict: STRICT_VALIDATION.toLowerCase() === "true" }),
    ...(TIMESTAMP === undefined ? {} : { time: TIMESTAMP }),
    ...(TIMESTAMP_FORMAT === undefined ? {} : { timeFormat: TIMESTAMP_FORMAT }),
    ...extra,
  } };
}

function tableOf(sql: string, create: Create): Declaration {
  const { name, columns } = create;
  const { KIND = "scan", KEY, RETAIN_SIZE, FORMAT } = create.options;
  const { settings, extra } = settingsOf(sql, create,
    ["KIND", "KEY", "RETAIN_SIZE", "FORMAT", "DELIMITER"]);
  const fault = (sentence: string): SqlFault =>
    new SqlFault("syntax", sentence, sql, create.span);
  const kind = KIND.toLowerCase();
  if (kind !== "scan" && kind !== "lookup") throw fault('KIND is "lookup" or "scan"');
  if ((kind === "lookup") !== (KEY !== undefined)) {
    throw fault('A table has a KEY, by which rows are looked up, if its KIND is "lookup"');
  }
  if (RETAIN_SIZE !== undefined && !/^[1-9]\d{0,5}$/.test(RETAIN_SIZE)) {
    throw fault("RETAIN_SIZE is how many rows the table has at most");
  }
  // eKuiper's word for a file is that of a stream; the separator is found by its header.
  const isCsv = settings["type"] === "file" && formatOf(FORMAT?.toLowerCase() ?? "") === "csv";
  return { section: "tables", name, entry: {
    ...settings, ...(isCsv ? { type: "csv" } : {}), columns: columnsOf(columns, value_bytes),
    ...(KEY === undefined ? {} : { key: KEY }),
    ...(RETAIN_SIZE === undefined ? {}
      : { capacity: Math.max(limits.ring_rows_min, Number(RETAIN_SIZE)) }), ...extra,
  } };
}

/** Of all types; `known`: the options that the caller looks at. */
function settingsOf(
  sql: string, { options, span }: Create, known: readonly string[],
): { settings: Record<string, unknown>; extra: Record<string, unknown> } {
  const { TYPE = "mqtt", DATASOURCE, CONF_KEY, EXTRA } = options;
  const type = TYPE.toLowerCase() === "httppull" ? "http" : TYPE.toLowerCase();
  const unknown = Object.keys(options).find((option) => !idle.has(option) &&
    !["TYPE", "DATASOURCE", "CONF_KEY", "EXTRA", ...known].includes(option));
  if (unknown !== undefined) {
    throw new SqlFault("not-in-this-version", `${unknown} is not in this version`, sql, span);
  }
  const place = places[type];
  return {
    settings: {
      type, ...(CONF_KEY === undefined ? {} : { link: CONF_KEY }),
      ...(DATASOURCE === undefined || place === undefined ? {} : { [place]: DATASOURCE }),
    },
    extra: EXTRA === undefined ? {} : extraOf(sql, EXTRA, span),
  };
}

/** Further settings of the entry, in JSON. */
function extraOf(sql: string, text: string, span: Create["span"]): Record<string, unknown> {
  let found: unknown = null;
  try {
    found = JSON.parse(text);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
  }
  if (typeof found === "object" && found !== null && !Array.isArray(found)) {
    return found as Record<string, unknown>;
  }
  throw new SqlFault("syntax", 'EXTRA is a JSON object of settings, such as {"qos":1}', sql, span);
}

const columnsOf = (columns: readonly CreateColumn[], bytes: number): Record<string, unknown> =>
  Object.fromEntries(columns.map((column) => [column.name, columnOf(column, bytes)]));

function columnOf({ type, fallback }: CreateColumn, bytes: number): unknown {
  const text = typeOf(type, bytes);
  return fallback === null ? text : { type: text, default: defaultOf(fallback) };
}

function typeOf(type: CreateType, bytes: number): unknown {
  switch (type.of) {
    case "bigint": return "int64";
    case "float": return "float64";
    case "string": return `text(${bytes})`;
    case "bytea": return `bytes(${bytes})`;
    case "datetime": return "time";
    case "boolean": return "bool";
    case "array": return { array: typeOf(type.element, bytes) };
    case "struct": return { struct: columnsOf(type.fields, bytes) };
  }
}

const defaultOf = ({ value }: Literal): unknown =>
  (typeof value !== "bigint" ? value
    : Number.isSafeInteger(Number(value)) ? Number(value) : String(value));
