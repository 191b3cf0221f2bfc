/**
 * Random queries in parts, each in a process of its own, two side by side: what the engine keeps of
 * code that was compiled and forgotten ends with its process. `SOAK_COUNT` queries from `SOAK_SEED`
 * on, every fifth a join; the seed of each difference is named, and what cases were made of summed.
 */
import { add, compare, type Compared, nothing, shown } from "../sql/compare.ts";
import { caseOf } from "../sql/differential.ts";
import { joinOf } from "../sql/joined.ts";

const part_queries = 2500;
const parts_at_once = 2;
/** A part that takes longer hangs. */
const part_ms_max = 15 * 60_000;

/** What a part tells. */
interface Part {
  readonly compared: Compared;
  /** Seeds whose results differ, or that end in an error; with the query. */
  readonly differing: readonly string[];
}

async function runPart(from: number, queries: number): Promise<Part> {
  const compared = nothing(), differing: string[] = [];
  for (let seed = from; seed < from + queries; seed++) {
    try {
      add(compared, await compare([seed], seed % 5 === 4 ? joinOf : caseOf,
        (one, actual, expected) => {
          if (!Bun.deepEquals(actual, expected)) differing.push(one.title);
        }));
    } catch (thrown) {
      differing.push(`seed ${seed}: ${Bun.inspect(thrown)}`);
    }
  }
  return { compared, differing };
}

async function childPart(from: number, queries: number): Promise<Part> {
  const child = Bun.spawn([process.execPath, import.meta.path, String(from), String(queries)], {
    stdout: "pipe", stderr: "inherit", timeout: part_ms_max, killSignal: "SIGKILL",
  });
  const text = await child.stdout.text();
  if (await child.exited === 0) return JSON.parse(text) as Part;
  const ended = `seeds ${from} to ${from + queries - 1}: their process ended with ` +
    (child.signalCode ?? child.exitCode);
  return { compared: nothing(), differing: [ended] };
}

async function runAll(from: number, queries: number): Promise<void> {
  const all = nothing(), started = performance.now();
  let next = 0, differences = 0;
  const worker = async (): Promise<void> => {
    while (next < queries) {
      const at = next;
      next += part_queries;
      const { compared, differing } =
        await childPart(from + at, Math.min(part_queries, queries - at));
      add(all, compared);
      differences += differing.length;
      for (const one of differing) console.log(`DIFFERS: ${one}`);
      const minutes = ((performance.now() - started) / 60_000).toFixed(1);
      console.log(`${all.cases} cases, ${differences} differ, ${minutes} minutes`);
    }
  };
  await Promise.all(Array.from({ length: parts_at_once }, worker));
  console.log(shown(all.counts));
  console.log(`${all.cases} cases of seeds ${from} to ${from + queries - 1} (${all.refused} ` +
    `refused by the binder, ${all.tooLarge} too large), ${all.rows} rows: ` +
    `${differences} differences`);
  process.exitCode = differences > 0 ? 1 : 0;
}

const [from, queries] = process.argv.slice(2).map(Number);
if (from !== undefined) console.log(JSON.stringify(await runPart(from, queries!)));
else {
  await runAll(Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000),
    Number(process.env["SOAK_COUNT"] ?? 10_000));
}
