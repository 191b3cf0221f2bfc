import type { Device, StaticTag } from "./model.ts";
import type { TagSpec } from "./tag.ts";

const columns = ["name", "at", "type", "group", "scale", "offset", "rawRange", "euRange", "signal",
  "decimals", "wordOrder", "eu", "access", "static"] as const;

export type TagLine = Partial<Record<(typeof columns)[number], string>>;

/** Tags as a CSV file that a type or a device can have; columns that nobody needs are left out. */
export function tagCsv(lines: readonly TagLine[]): string {
  const used = columns.filter((column) => lines.some((line) => (line[column] ?? "") !== ""));
  const rows = [used, ...lines.map((line) => used.map((column) => quoted(line[column] ?? "")))];
  return rows.map((row) => row.join(";")).join("\n");
}

const quoted = (text: string): string =>
  /[;"\n\r]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

/** The tags of a device, as its CSV file would have them. */
export function tagLines({ groups }: Device): TagLine[] {
  const several = groups.length > 1;
  return groups.flatMap(({ name: group, tags, statics }) => [
    ...tags.map(({ spec }) => ({ ...tagLine(spec), ...(several ? { group } : {}) })),
    ...statics.map((tag) => ({ ...staticLine(tag), ...(several ? { group } : {}) })),
  ]);
}

function tagLine({ name, at, type, eu, writable, wordOrder, ...meaning }: TagSpec): TagLine {
  const { scale, offset, signal, decimals } = meaning;
  const ends = signal?.map((raw) => raw * scale + offset);
  return {
    name, at, type,
    ...(signal === null ? {
      scale: scale === 1 ? "" : `${scale}`, offset: offset === 0 ? "" : `${offset}`,
    } : { rawRange: signal.join(".."), euRange: ends!.join(".."), signal: "4-20mA" }),
    decimals: decimals === null ? "" : `${decimals}`,
    wordOrder: wordOrder === "ABCD" ? "" : wordOrder,
    eu: eu ?? "", access: writable ? "read-write" : "",
  };
}

const staticLine = ({ name, type, eu, value }: StaticTag): TagLine =>
  ({ name, type, eu: eu ?? "", static: String(value) });
