import { JsonText } from "../config.ts";
import type { TryAnswer } from "../runtime.ts";
import { Client, clientHelp, clientOptions, readText } from "./client.ts";
import { show, table } from "./table.ts";
import { text, Usage, word, type Args, type Verb } from "./verb.ts";

/** JSON with comments, as the configuration is; numbers keep their digits. */
function rowsOf(file: string): object {
  const text = new JsonText(readText(file), file);
  const [problem] = text.problems;
  if (problem !== undefined) {
    throw new Usage(`${file}:${problem.line}:${problem.column}: ${problem.message}`);
  }
  const rows = text.exact();
  if (typeof rows === "object" && rows !== null && !Array.isArray(rows)) return rows;
  throw new Usage(`${file} is to be {"STREAM": [{"COLUMN": VALUE}, …]}`);
}

function bodyOf(args: Args): object {
  const limit = text(args, "limit");
  const file = text(args, "rows");
  const rows = file === null ? undefined : rowsOf(file);
  if (limit !== null && !/^\d+$/.test(limit)) throw new Usage(`--limit is a number, not ${limit}`);
  const given = { rows, every: text(args, "every"), for: text(args, "for"),
    limit: limit === null ? null : Number(limit) };
  return { sql: word(args, 0, '"SELECT …"'),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => (value ?? null) !== null)) };
}

function answerText({ columns, rows, rows_in, errors, dropped, ended }: TryAnswer): string {
  const names = columns.map(({ name }) => name);
  const shown = rows.length === 0 ? [] : [table([["TIME", ...names],
    ...rows.map(({ time, values, quality }) => [new Date(time).toISOString(),
      ...names.map((name) => show(values[name] ?? null) +
        (quality[name] === undefined ? "" : ` (${quality[name]})`))])])];
  const lost = [errors > 0 ? `, ${errors} errors` : "", dropped > 0 ? `, ${dropped} dropped` : ""];
  return [...shown, `${rows.length} rows of ${rows_in}${lost.join("")}: ${ended}`].join("\n");
}

export const tryVerb: Verb = {
  name: "try",
  usage: 'try "SELECT …"',
  words: 1,
  summary: "what a rule would give, before it is saved",
  help: `It runs beside what runs, in memory of its own, and writes nothing anywhere.
      --rows FILE     given rows instead of those that come: {"press.fast": [{"pressure": 4.2}]};
                      "$time" of a row is its time
      --every TIME    between two given rows that do not say (default 1s)
      --for TIME      how long rows that come are waited for (default 10s, at most 50s)
      --limit N       rows of the answer (default 20)${clientHelp}`,
  options: {
    ...clientOptions, rows: { type: "string" }, every: { type: "string" }, for: { type: "string" },
    limit: { type: "string" },
  },
  async run(args) {
    const answer = await new Client(args).post("/try", bodyOf(args)) as TryAnswer;
    console.log(args.options["json"] ? JSON.stringify(answer, null, 2) : answerText(answer));
    return 0;
  },
};
