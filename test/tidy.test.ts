import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findBreaches, type Breach, type SourceFile } from "./support/tidy.ts";

const root = join(import.meta.dir, "..");

function readTree(): SourceFile[] {
  const globs = ["*.ts", "{src,test,examples}/**/*.ts"].map((glob) => new Bun.Glob(glob));
  const paths = globs.flatMap((glob) => [...glob.scanSync({ cwd: root })]);
  return paths.filter((path) => !path.includes("node_modules")).sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

const show = ({ path, line, rule }: Breach): string => `${path}:${line}: ${rule}`;

test("the tree keeps its rules", () => {
  const files = readTree();
  expect(files.length).toBeGreaterThan(20);
  expect(findBreaches(files).map(show)).toEqual([]);
});

/** Each breach alone in an otherwise empty tree: [path, text, the rule that must be named]. */
const planted: readonly (readonly [path: string, text: string, rule: string])[] = [
  // Levels.
  ["src/base/a.ts", `import { Ring } from "../ring.ts";`, "base (level 0) may not import ring (1)"],
  ["src/ring/a.ts", `import type { A } from "../config.ts";`, "may not import config"],
  ["src/codec/a.ts", `import { a } from "../config.ts";`, "codec (level 2) may not import config"],
  ["src/config/a.ts", `export { a } from "../sql.ts";`, "may not import sql"],
  ["src/sql/a.ts", `import { a } from "../gate.ts";`, "sql (level 3) may not import gate (3)"],
  ["src/gate/a.ts", `const a = await import("../driver.ts");`, "may not import driver"],
  ["src/driver/modbus/a.ts", `import "../../runtime.ts";`, "may not import runtime"],
  ["src/connector/mqtt/a.ts", `import { a } from "../../gate.ts";`, "levels 0 to 2, not gate"],
  ["src/driver/s7/a.ts", `import { a } from "../modbus/pdu.ts";`, "s7 imports modbus"],
  ["src/runtime/a.ts", `import { api } from "../api.ts";`, "may not import api"],
  ["src/runtime/a.ts", `import { sim } from "../sim.ts";`, "may not import sim"],
  ["src/runtime/a.ts", `import { m } from "../connector/mqtt.ts";`, "inside of connector"],
  ["src/cli/a.ts", `import { api } from "../api.ts";`, "cli (level 6) may not import api (6)"],
  ["src/registry.ts", `import { main } from "./main.ts";`, "may not import main"],
  ["src/worker.ts", `import { main } from "./main.ts";`, "worker (level 7) may not import main"],
  ["src/sql/a.ts", `import { Ring } from "../ring/ring.ts";`, "imports the inside of ring"],
  ["src/sql/a.ts", `import {\n  Ring,\n} from "../ring/ring.ts";`, "imports the inside of ring"],
  ["src/engine/a.ts", "", "an area that has a level"],
  // Powers.
  ["src/gate/a.ts", "const now = Date.now();", "base/clock"],
  ["src/runtime/a.ts", "const now = performance.now();", "base/clock"],
  ["src/sql/plan.ts", `const f = new Function("a", "return a");`, "sql/emit"],
  ["src/ring/ring.ts", "Atomics.store(I, 0, 1);", "ring/bridge"],
  ["src/runtime/a.ts", "Atomics.load(I, 0);", "ring/bridge"],
  ["src/sql/a.ts", "new SharedArrayBuffer(8);", "ring/arena"],
  ["src/driver/wire/tty.ts", `import { dlopen } from "bun:ffi";`, "base/os"],
  ["src/runtime/a.ts", "Bun.connect({});", "sockets"],
  ["src/cli/read.ts", `await fetch("http://x");`, "sockets"],
  ["src/connector/mqtt/sink.ts", `import { connect } from "mqtt";`, "sockets"],
  ["src/driver/modbus/master.ts", `import net from "node:net";`, "sockets"],
  ["src/ota/a.ts", "Bun.spawn([]);", "infer/process"],
  ["src/runtime/a.ts", `new URL("./worker.ts", import.meta.url);`, "only main spells"],
  ["src/runtime/a.ts", `import { readFileSync } from "node:fs";`, "files"],
  ["src/gate/a.ts", `import { Database } from "bun:sqlite";`, "files"],
  ["src/sql/a.ts", `Bun.file("x");`, "files"],
  // Manners.
  ["src/ring/utils.ts", "", "says nothing"],
  ["test/helpers/a.ts", "", "says nothing"],
  ["src/ring/bridge-v2.ts", "", "no version beside a version"],
  ["src/ring/a.ts", `${"class"} RingManager {}`, "manager"],
  ["src/ring/a.ts", `const a = "${"x".repeat(90)}";`, "at most 100 columns"],
  ["test/ring/a.ts", `// ${"TO"}DO later`, "left to do"],
  ["src/ring/a.ts", `try { a(); } ${"catch"} {}`, "swallowed"],
  ["src/ring/a.ts", `try { a(); } ${"catch"} (thrown) {\n}`, "swallowed"],
  ["src/ring/a.ts", `${"enum"} A { B }`, "enum"],
  ["src/main.ts", "\n".repeat(150), "under 150 lines"],
  ["src/ring/a.ts", "export const nobody = 1;", "nobody uses the exported nobody"],
];

for (const [path, text, rule] of planted) {
  test(`finds in ${path}: ${text.slice(0, 50).trim()}`, () => {
    const found = findBreaches([{ path, text }]);
    expect(found.map((b) => b.path)).toContain(path);
    expect(found.map(show).join("\n")).toContain(rule);
  });
}

/** What looks like a breach and is none. */
const allowed: readonly (readonly [path: string, text: string])[] = [
  ["src/sql/emit/kernel.ts", `new Function("a");`],
  ["src/ring/bridge.ts", "Atomics.load(I, 0);"],
  ["src/sql/a.ts", "// Atomics and Date.now() are not for this file\n/* new Function */"],
  ["src/runtime/a.ts", "const buffer: SharedArrayBuffer = arena.buffer;"],
  ["src/ring/a.ts", `import { b } from "./b.ts";\nimport { assert } from "../base.ts";`],
  ["src/driver/modbus/a.ts", `import { frame } from "../wire/frame.ts";`],
  ["src/driver/modbus/a.ts", `import type { Driver } from "../../driver.ts";`],
  ["src/connector/mqtt/sink.ts", `import type { MqttClient } from "mqtt";`],
  ["src/sim/a.ts", "Bun.listen({});"],
  ["src/sim/a.ts", `import { openPty } from "../base/os.ts";`],
  ["test/gate/a.test.ts", "Date.now(); new Function();"],
  ["src/ring/a.ts", "try { a(); } catch (thrown) { log(thrown); }"],
];

for (const [path, text] of allowed) {
  test(`allows in ${path}: ${text.slice(0, 50).trim()}`, () => {
    expect(findBreaches([{ path, text }]).map(show)).toEqual([]);
  });
}
