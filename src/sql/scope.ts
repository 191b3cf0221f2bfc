import { spread_name, type ColumnSpec } from "../ring.ts";
import type { Source } from "./ast.ts";
import type {
  BoundInput, BoundNewest, BoundQuery, Catalog, CatalogTable, OpenStream,
} from "./bound.ts";
import { SqlFault, type Span } from "./fault.ts";
import { shownOf } from "./shown.ts";

/** A source of FROM, and which of its columns the query has used so far. */
interface Input {
  readonly name: string;
  readonly alias: string;
  readonly streams: readonly string[];
  readonly fanIn: boolean;
  readonly columns: ReadonlyMap<string, ColumnSpec>;
  readonly used: Map<string, ColumnSpec>;
  /** Any name is a column, of no fixed type. */
  readonly open: OpenStream | null;
  /** The column of what its messages say of themselves. */
  readonly meta: ColumnSpec | null;
  readonly table: CatalogTable | null;
  readonly query: BoundQuery | null;
  readonly span: Span;
}

export type Found =
  | {
      readonly kind: "column"; readonly input: number; readonly spec: ColumnSpec;
      /** It is a field inside the column, which holds an object. */
      readonly field: string | null;
    }
  | { readonly kind: "newest"; readonly index: number; readonly spec: ColumnSpec };

/** What names mean: columns of FROM, and newest values of tags anywhere. */
export class Scope {
  readonly #catalog: Catalog;
  readonly #inputs: Input[] = [];
  readonly #newest: BoundNewest[];

  /** A query and those inside it have their newest values in common. */
  constructor(catalog: Catalog, newest: BoundNewest[] = []) {
    this.#catalog = catalog;
    this.#newest = newest;
  }

  get inputs(): readonly BoundInput[] {
    return this.#inputs.map(({ name, alias, streams, fanIn, used, table, query, span }) =>
      ({ name, alias, streams, fanIn, columns: [...used.values()], table, query, span }));
  }

  get newest(): BoundNewest[] {
    return this.#newest;
  }

  /** What a query inside FROM gives. */
  addQuery({ name, alias, span }: Source, query: BoundQuery): void {
    const columns = new Map(shownOf(query).map(({ spec }) => [spec.name, spec]));
    this.#inputs.push({ name, alias: alias ?? name, streams: [], fanIn: false, columns,
      used: new Map(), span, table: null, query, open: null, meta: null });
  }

  add(sql: string, source: Source): void {
    const { name, span } = source;
    const table = this.#catalog.table?.(name);
    // After FROM a table that is read as a whole is the stream of what was read.
    if (table !== undefined && !(table.key === null && this.#inputs.length === 0)) {
      const columns = new Map(table.columns.map((column) => [column.name, column]));
      this.#inputs.push({ name, alias: source.alias ?? name, streams: [], fanIn: false, columns,
        used: new Map(), span, table, query: null, open: null, meta: null });
      return;
    }
    const fanIn = name.includes("*");
    const streams = fanIn ? [...this.#catalog.match(name)] : [name];
    if (fanIn && streams.length === 0) {
      throw new SqlFault("unknown-stream", `No stream fits the pattern ${name}`, sql, span,
        this.#catalog.names(), name);
    }
    const found = streams.map((stream) => this.#catalog.stream(stream));
    if (found.some((stream) => stream === undefined)) {
      if (name === this.#catalog.self) {
        throw new SqlFault("unknown-stream", `This rule is ${name}: it may not read itself`, sql,
          span);
      }
      throw new SqlFault("unknown-stream", `There is no stream ${name}`, sql, span,
        this.#catalog.names(), name);
    }
    const columns = common(found.map((stream) => stream!.columns));
    if (fanIn) columns.set("device", { name: "device", kind: "text", slot: deviceSlot(streams) });
    this.#inputs.push({ name, alias: source.alias ?? name, streams, fanIn, columns,
      used: new Map(), span, table: null, query: null,
      open: fanIn ? null : found[0]!.open ?? null,
      meta: fanIn ? null : found[0]!.meta ?? null });
  }

  /** Columns of `*` or `qualifier.*`, none of those that begin with `$`, with their source. */
  star(sql: string, qualifier: string, span: Span): { alias: string; name: string }[] {
    const inputs = this.#inputs.filter((i) => qualifier === "" || i.alias === qualifier
      || i.name === qualifier);
    if (inputs.length === 0) {
      const known = this.#inputs.map((i) => i.alias);
      throw new SqlFault("unknown-stream", `${qualifier} is not in FROM, which has ` +
        known.join(", "), sql, span, known, qualifier);
    }
    const seen = new Set<string>();
    // A name that several have is that of the first.
    return inputs.flatMap(({ alias, columns, open }) => {
      const names = open === null ? [...columns.keys()] : [spread_name];
      return names.flatMap((name) => {
        if (name.startsWith("$") || seen.has(name)) return [];
        seen.add(name);
        return [{ alias, name }];
      });
    });
  }

  /** What messages say of themselves: of the stream named, else of the first. */
  meta(sql: string, qualifier: string, span: Span): Extract<Found, { kind: "column" }> {
    const input = this.#inputs.find((one) => isOf(one, qualifier));
    if (input === undefined || input.meta === null) {
      throw new SqlFault("no-meta", `Rows of ${input?.name ?? qualifier} say nothing of ` +
        "themselves; those of a source of type mqtt do", sql, span);
    }
    input.used.set(input.meta.name, input.meta);
    return { kind: "column", input: this.#inputs.indexOf(input), spec: input.meta, field: null };
  }

  /** True if FROM or a JOIN has this stream. */
  has(qualifier: string): boolean {
    return this.#inputs.some((input) => isOf(input, qualifier));
  }

  /** The column of a field inside one of an open stream; null: that is not where it is from. */
  inside(index: number, name: string, field: string): Extract<Found, { kind: "column" }> | null {
    const input = this.#inputs[index]!;
    const outer = input.used.get(name);
    if (input.open === null || outer?.path === undefined || outer.path.length === 0) return null;
    const spec: ColumnSpec = { ...outer, name: `${name}->${field}`, path: [...outer.path, field] };
    input.used.set(spec.name, spec);
    return { kind: "column", input: index, spec, field: null };
  }

  /** Only these columns of open streams are read: what stood for a field inside is not. */
  keep(names: ReadonlySet<string>): void {
    for (const { open, used } of this.#inputs) {
      if (open === null) continue;
      for (const name of used.keys()) if (!names.has(name)) used.delete(name);
    }
  }

  /** The meaning of a name, or null. */
  find(parts: readonly string[]): Found | null {
    const name = parts.at(-1)!;
    const qualifier = parts.slice(0, -1).join(".");
    const mine = this.#inputs.filter((input) => isOf(input, qualifier));
    // A declared column before a field that a message may have.
    const input = mine.find(({ columns }) => columns.has(name)) ??
      mine.find(({ open, columns }) => open !== null || columns.has(spread_name));
    if (input !== undefined) {
      const declared = input.columns.get(name) ?? input.columns.get(spread_name);
      const spec = declared ?? fieldOf(input.open!, name);
      input.used.set(spec.name, spec);
      return { kind: "column", input: this.#inputs.indexOf(input), spec,
        field: declared !== undefined && declared.name !== name ? name : null };
    }
    return qualifier === "" ? null : this.#findNewest(qualifier, name);
  }

  #findNewest(device: string, tag: string): Found | null {
    const place = this.#catalog.tag(device, tag);
    if (place === undefined) return null;
    const id = `${device}.${tag}`;
    const spec = this.#catalog.stream(place.stream)?.columns.find((c) => c.name === place.column);
    if (spec === undefined) return null;
    let index = this.#newest.findIndex((n) => n.tag === id);
    if (index < 0) {
      index = this.#newest.push({ tag: id, stream: place.stream, column: spec,
        pollMs: place.interval_ms }) - 1;
    }
    return { kind: "newest", index, spec };
  }

  /** Why a name means nothing, and what was probably meant. */
  unknown(sql: string, parts: readonly string[], span: Span, aliases: Iterable<string>): SqlFault {
    const name = parts.join(".");
    const hyphenated = /^[\w-]+/.exec(sql.slice(span.from))?.[0] ?? "";
    if (hyphenated.includes("-") && this.#catalog.device(hyphenated)) {
      return new SqlFault("syntax",
        `A name with a hyphen stands in back-quotes here: \`${hyphenated}\``, sql,
        { from: span.from, to: span.from + hyphenated.length });
    }
    const [owner, tag] = [parts[0]!.split(".")[0]!, name.slice(name.lastIndexOf(".") + 1)];
    if (parts.length === 1 && this.#catalog.tag(owner, tag) !== undefined) {
      return new SqlFault("syntax", "Back-quotes stand around one name, not around the dot: " +
        `\`${owner}\`.${tag}`, sql, span);
    }
    const device = parts.slice(0, -1).join(".");
    const named = parts.length > 1 ? this.#inputs.find(({ alias }) => alias === device) : undefined;
    if (named !== undefined) {
      const [last] = parts.slice(-1);
      return new SqlFault("unknown-column", `${named.name} has no column ${last}`, sql, span,
        [...named.columns.keys()], last);
    }
    if (parts.length > 1 && this.#catalog.device(device)) {
      return new SqlFault("unknown-tag", `The device ${device} has no tag ${parts.at(-1)}`, sql,
        span,
        this.#catalog.names(), name);
    }
    const columns = this.#inputs.flatMap((i) => [...i.columns.keys()]);
    const from = this.#inputs.map((i) => i.name).join(", ");
    return new SqlFault("unknown-column", from === ""
      ? `There is no tag ${name}; here a name is device.tag`
      : `${name} is no column of ${from}, and no tag`, sql, span,
      [...columns, ...aliases, ...this.#catalog.names()], name);
  }
}

function isOf({ name, alias, fanIn }: Input, qualifier: string): boolean {
  const device = name.slice(0, Math.max(0, name.lastIndexOf(".")));
  return qualifier === "" || qualifier === alias || qualifier === name ||
    (qualifier === device && !fanIn);
}

/** A field of any message, or `*`: all of it. */
const fieldOf = (open: OpenStream, name: string): ColumnSpec => (name === spread_name
  ? wholeOf(open)
  : { name, kind: "dyn", slot: roundUp(open.value_bytes), path: [name] });

const roundUp = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** The message as it came. */
const wholeOf = ({ message_bytes }: OpenStream): ColumnSpec =>
  ({ name: spread_name, kind: "json", slot: roundUp(message_bytes), path: [] });

/** Columns that all have, of one kind. */
function common(streams: readonly (readonly ColumnSpec[])[]): Map<string, ColumnSpec> {
  const [first, ...rest] = streams;
  const columns = new Map<string, ColumnSpec>();
  for (const spec of first!) {
    const others = rest.map((stream) => stream.find((c) => c.name === spec.name));
    if (others.some((other) => other === undefined || other.kind !== spec.kind)) continue;
    columns.set(spec.name,
      { ...spec, slot: Math.max(spec.slot, ...others.map((other) => other!.slot)) });
  }
  return columns;
}

/** Room for the longest name of a device, the part of a stream's name before its last dot. */
function deviceSlot(streams: readonly string[]): number {
  const longest = Math.max(...streams.map((s) => new TextEncoder().encode(s).length));
  return Math.ceil(longest / 8) * 8;
}
