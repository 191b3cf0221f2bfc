import { Client, clientHelp, clientOptions } from "./client.ts";
import { show, table } from "./table.ts";
import { text, Usage, type Args, type Verb } from "./verb.ts";

/** Some at a time, so that the running Tagwerk goes on. */
async function pruneBefore(args: Args, date: string): Promise<number> {
  const [before, by] = [Date.parse(date), text(args, "by")];
  if (Number.isNaN(before)) throw new Usage("--prune-before wants a day, as 2026-05-31");
  if (by === null || by === "") throw new Usage("--by NAME is missing");
  const client = new Client(args);
  let rows = 0;
  for (let done = false; !done;) {
    const answer = await client.post("/audit/prune", { before, by }) as
      { rows: number; done: boolean };
    rows += answer.rows;
    done = answer.done;
  }
  console.log(`${rows} rows before ${new Date(before).toISOString()} were deleted`);
  return 0;
}

type Row = Readonly<Record<string, string | number | null>>;

export const auditVerb: Verb = {
  name: "audit",
  usage: "audit [TAG] | audit --prune-before DATE --by NAME",
  words: 1,
  summary: "what was asked, decided, sent and answered; newest first",
  help: `${clientHelp}
      --limit N       rows at most (default 20)
      --prune-before DATE  delete the rows from before that day (2026-05-31, UTC): keep a copy of
                      the store first. Today's rows stay
      --by NAME       who deletes; it stands in the audit`,
  options: {
    ...clientOptions, limit: { type: "string" }, "prune-before": { type: "string" },
    by: { type: "string" },
  },
  async run(args) {
    const date = text(args, "prune-before");
    if (date !== null) return pruneBefore(args, date);
    const query = new URLSearchParams({ limit: text(args, "limit") ?? "20" });
    if (args.words[0] !== undefined) query.set("tag", args.words[0]);
    const rows = (await new Client(args).get(`/audit?${query}`)) as Row[];
    if (args.options["json"]) {
      console.log(JSON.stringify(rows, null, 2));
      return 0;
    }
    console.log(table([
      ["TIME", "TAG", "WHO", "ORIGIN", "ASKED", "MEANS", "OUTCOME", "CODE", "COUNT", "DETAIL"],
      ...rows.map((row) => [
        new Date(Number(row["time"])).toISOString(), row["tag"] ?? null, row["who"] ?? null,
        row["origin"] ?? null,
        show(row["asked"] ?? null), show(row["means"] ?? null), row["outcome"] ?? null,
        row["code"] ?? null, row["count"] ?? null,
        // What codes mean stands in the manual; what a person did stands nowhere else.
        row["verdict"] === "act" ? row["sentence"] ?? null : null,
      ]),
    ]));
    return 0;
  },
};
