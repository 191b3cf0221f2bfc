import { duration } from "../base.ts";
import type { RowView } from "../runtime.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { readTags, tagTable } from "./read.ts";
import { show } from "./table.ts";
import { count, text, Usage, type Args, type Verb } from "./verb.ts";

async function pictureOf(client: Client, args: Args): Promise<string> {
  const stream = text(args, "stream");
  if (stream === null) return tagTable(await readTags(client, args.words));
  const row = (await client.get(`/streams/${encodeURIComponent(stream)}/latest`)) as RowView | null;
  if (row === null) return `${stream}: no row yet`;
  const cells = Object.entries(row.values).map(([name, value]) =>
    `${name}=${show(value)}${row.quality[name] === undefined ? "" : ` (${row.quality[name]})`}`);
  return `${new Date(row.time).toISOString()}  ${cells.join("  ")}`;
}

export const watchVerb: Verb = {
  name: "watch",
  usage: "watch [TAG|DEVICE]… | watch --stream NAME",
  words: Infinity,
  summary: "the same again and again, until Ctrl-C",
  help: `${clientHelp}
      --stream NAME   newest row of a stream or rule, a line each time
      --every TIME    how often (default 1s)
      --count N       end after N times`,
  options: {
    ...clientOptions, stream: { type: "string" }, every: { type: "string" },
      count: { type: "string" },
  },
  async run(args) {
    const every = duration(text(args, "every") ?? "1s");
    if (every === null || every <= 0) {
      throw new Usage("--every wants a time with a unit, as 500ms or 2s");
    }
    const most = count(args, "count", Infinity);
    const client = new Client(args);
    for (let n = 1; ; n++) {
      const picture = await pictureOf(client, args);
      const inPlace = process.stdout.isTTY && text(args, "stream") === null;
      console.log(inPlace ? `\x1b[2J\x1b[H${picture}` : picture);
      if (n >= most) return 0;
      await Bun.sleep(every);
    }
  },
};
