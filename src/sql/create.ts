import type { Create, CreateColumn, CreateType, Literal, Manage, Statement } from "./ast.ts";
import { refuseSeparator } from "./fault.ts";
import { Parser, parseStatements } from "./parser.ts";

const scalars: Readonly<Record<string, Exclude<CreateType["of"], "array" | "struct">>> = {
  BIGINT: "bigint", FLOAT: "float", STRING: "string", BYTEA: "bytea", DATETIME: "datetime",
  BOOLEAN: "boolean",
};

const options = new Set(["DATASOURCE", "FORMAT", "SCHEMAID", "DELIMITER", "KEY", "TYPE",
  "STRICT_VALIDATION", "CONF_KEY", "EXTRA", "SHARED", "TIMESTAMP", "TIMESTAMP_FORMAT",
    "RETAIN_SIZE",
  "KIND", "VERSION", "TEMP"]);

/**
 * Any text of the dialect: queries, `CREATE STREAM|TABLE`, `SHOW`, `DESCRIBE`, `EXPLAIN`, `DROP`.
 */
export function parse(sql: string): Statement[] {
  refuseSeparator(sql);
  return parseStatements(sql, (p) => (p.is("CREATE") ? parseCreate(p) : parseManage(p)));
}

function parseManage(p: Parser): Manage {
  const { from } = p.token;
  for (const kind of ["show", "describe", "explain", "drop"] as const) {
    if (!p.accept(kind.toUpperCase())) continue;
    if (kind === "show") {
      const what = p.accept("TABLES") ? "table" : "stream";
      if (what === "stream") p.expect("STREAMS");
      return { kind, what, name: null, span: p.span(from) };
    }
    const what = p.accept("TABLE") ? "table" : "stream";
    if (what === "stream") p.expect("STREAM");
    return { kind, what, name: p.takeSource().text, span: p.span(from) };
  }
  throw p.unexpected("SELECT");
}

function parseCreate(p: Parser): Create {
  const { from } = p.expect("CREATE");
  const what = p.accept("TABLE") ? "table" : "stream";
  if (what === "stream") p.expect("STREAM");
  const name = p.takeSource().text;
  const columns = parseColumns(p);
  const create: Create = { kind: "create", what, name, columns, options: parseOptions(p),
    span: p.span(from) };
  if (create.options.FORMAT?.toLowerCase() === "binary" && columns.length > 1) {
    throw p.fault("The format BINARY has one column", create.span);
  }
  return create;
}

/** `(a BIGINT, b ARRAY(STRING),)`: a comma may end it. */
function parseColumns(p: Parser): CreateColumn[] {
  const columns: CreateColumn[] = [];
  p.expect("(");
  while (!p.accept(")")) {
    columns.push(parseColumn(p));
    if (!p.is(")")) p.expect(",");
  }
  return columns;
}

function parseColumn(p: Parser): CreateColumn {
  const name = p.identifier("a column's name").text;
  const type = parseType(p);
  if (!p.is("DEFAULT")) return { name, type, fallback: null };
  p.take();
  const fallback = p.expr();
  if (fallback.kind !== "literal" || !fits(type, fallback)) {
    throw p.fault(`This is no constant of type ${type.of}`, fallback.span);
  }
  return { name, type, fallback };
}

function fits(type: CreateType, { value }: Literal): boolean {
  switch (type.of) {
    case "bigint": return typeof value === "bigint";
    case "float": return typeof value === "number" || typeof value === "bigint";
    case "string": return typeof value === "string";
    case "boolean": return typeof value === "boolean";
    default: return false;
  }
}

function parseType(p: Parser): CreateType {
  return p.nested(() => parseTypeAt(p));
}

function parseTypeAt(p: Parser): CreateType {
  const token = p.identifier("a type");
  const of = scalars[token.upper];
  if (of !== undefined) return { of };
  if (token.upper === "ARRAY") {
    p.expect("(");
    const element = parseType(p);
    p.expect(")");
    return { of: "array", element };
  }
  if (token.upper === "STRUCT") return { of: "struct", fields: parseColumns(p) };
  throw p.unknown(`A type is ${Object.keys(scalars).join(", ")}, ARRAY(…) or STRUCT(…)`, token,
    [...Object.keys(scalars), "ARRAY", "STRUCT"]);
}

function parseOptions(p: Parser): Record<string, string> {
  const found: Record<string, string> = {};
  if (!p.accept("WITH")) return found;
  p.expect("(");
  while (!p.accept(")")) {
    const name = p.take();
    if (!options.has(name.upper)) {
      throw p.unknown(`No such option; known are ${[...options].join(", ")}`, name, options);
    }
    p.expect("=");
    if (p.token.kind !== "string") throw p.unexpected("a text in quotes");
    const value = p.take();
    if (name.upper === "STRICT_VALIDATION" && !/^(true|false)$/i.test(value.text)) {
      throw p.fault("STRICT_VALIDATION is \"true\" or \"false\"", value);
    }
    found[name.upper] = value.text;
    if (!p.is(")")) p.expect(",");
  }
  return found;
}
