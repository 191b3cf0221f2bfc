import { Client, clientHelp, clientOptions } from "./client.ts";
import { show, table } from "./table.ts";
import { text, type Verb } from "./verb.ts";

type Row = Readonly<Record<string, string | number | null>>;

export const auditVerb: Verb = {
  name: "audit",
  usage: "audit [TAG]",
  summary: "what was asked, decided, sent and answered; newest first",
  help: `${clientHelp}
      --limit N       rows at most (default 20)`,
  options: { ...clientOptions, limit: { type: "string" } },
  async run(args) {
    const query = new URLSearchParams({ limit: text(args, "limit") ?? "20" });
    if (args.words[0] !== undefined) query.set("tag", args.words[0]);
    const rows = (await new Client(args).get(`/audit?${query}`)) as Row[];
    if (args.options["json"]) {
      console.log(JSON.stringify(rows, null, 2));
      return 0;
    }
    console.log(table([
      ["TIME", "TAG", "ORIGIN", "ASKED", "MEANS", "OUTCOME", "CODE", "COUNT"],
      ...rows.map((row) => [
        new Date(Number(row["time"])).toISOString(), row["tag"] ?? null, row["origin"] ?? null,
        show(row["asked"] ?? null), show(row["means"] ?? null), row["outcome"] ?? null,
        row["code"] ?? null, row["count"] ?? null,
      ]),
    ]));
    return 0;
  },
};
