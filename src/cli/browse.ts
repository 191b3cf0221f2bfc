import type { FoundTag } from "../driver.ts";
import { clientOptions } from "./client.ts";
import { serverLink } from "./server-link.ts";
import { table } from "./table.ts";
import { count, word, type Verb } from "./verb.ts";

const most_default = 1000;
const most_max = 100_000;

export const browseVerb: Verb = {
  name: "browse",
  usage: "browse LINK [NODE]",
  words: 2,
  summary: "the values of an OPC UA server, as a table, as tags or as CSV",
  help: `
NODE is where to begin, such as "ns=2;s=Line1"; left out: everything but the server itself.
  -c, --config FILE   the configuration (default gateway.json here)
      --store DIR     another store than the configuration's
      --most N        at most so many (default ${most_default})
      --json          as "tags" of a device
      --csv           as a file of tags: "tags": "file:NAME.csv"`,
  options: {
    config: clientOptions.config, store: clientOptions.store, json: clientOptions.json,
    csv: { type: "boolean" }, most: { type: "string" },
  },
  async run(args, host) {
    const { link, driver, directory } = serverLink(args, host, word(args, 0, "LINK"));
    const most = count(args, "most", most_default, most_max);
    const tags = await driver.tools.browse(link, directory, args.words[1] ?? null, most);
    console.log(args.options["json"] ? JSON.stringify(asSettings(tags), null, 2)
      : args.options["csv"] ? asCsv(tags) : asTable(tags));
    if (tags.length === most) console.error(`only the first ${most}: more with --most`);
    return 0;
  },
};

const accessOf = ({ writable }: FoundTag): string => (writable ? "read-write" : "read");

/** Reading is what is meant; who is to write says so himself. */
function asSettings(tags: readonly FoundTag[]): Record<string, { at: string; type: string }> {
  return Object.fromEntries(tags.map(({ name, at, type }) => [name, { at, type }]));
}

function asCsv(tags: readonly FoundTag[]): string {
  const quoted = (field: string): string =>
    (/[",;\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);
  return ["name,at,type", ...tags.map(({ name, at, type }) =>
    [name, at, type].map(quoted).join(","))].join("\n");
}

const asTable = (tags: readonly FoundTag[]): string => table([
  ["NAME", "AT", "TYPE", "ACCESS"],
  ...tags.map((tag) => [tag.name, tag.at, tag.type, accessOf(tag)]),
]);
