import { expect, test } from "bun:test";
import { deserialize } from "bun:jsc";
import { join } from "node:path";
import { workFolder } from "../support/binary.ts";

const main = join(import.meta.dir, "../../src/main.ts");

/** What `run` is told when it asks the process that it starts for a change. */
async function reply(question: object): Promise<any> {
  const child = Bun.spawn([process.execPath, main, "examine"], {
    stdin: Buffer.from(JSON.stringify(question)), stdout: "pipe", stderr: "pipe",
  });
  const bytes = await Bun.readableStreamToArrayBuffer(child.stdout);
  expect([await child.exited, await new Response(child.stderr).text()]).toEqual([0, ""]);
  return deserialize(bytes);
}

test("a configuration is worked out elsewhere: plans, problems or a fault come back", async () => {
  const folder = workFolder();
  const [path, links] = [join(folder.path, "gateway.json"), null];
  const ask = (config: string, policy = "", simulated: string | null = links): Promise<any> =>
    reply({ path, texts: { config, policy }, links: simulated, name: "next.json" });
  const config = JSON.stringify({
    gateway: { id: "g", profile: "generic-512mb" },
    sources: { s: { type: "file", file: "rows.csv", columns: { a: "int64" } } },
    rules: { r: { sql: "SELECT a + 1 AS b FROM s" } },
    store: { directory: "./store" },
  });
  try {
    const worked = await ask(config);
    expect(worked.texts).toEqual([]);
    expect(worked.graph.rules.map(({ rule }: any) => rule.name)).toEqual(["r"]);
    const wrong = await ask(config.replace("FROM s", "FROM t"));
    expect(wrong.graph).toBeNull();
    expect(wrong.texts.join("\n")).toContain("next.json");
    const missing = await ask(config, "", join(folder.path, "none.json"));
    expect(missing.failure.message).toContain("none.json");
  } finally {
    folder.remove();
  }
});
