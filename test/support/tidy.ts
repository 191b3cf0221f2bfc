import { dirname, join, normalize } from "node:path";

/** The rules of the source tree, as a function over texts: nothing is read here. */
export interface SourceFile {
  /** From the project's root: `src/ring/bridge.ts`. */
  readonly path: string;
  readonly text: string;
}

export interface Breach {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
}

/** Who may import whom: lower numbers only, equals are strangers. */
const levels: readonly (readonly string[])[] = [
  ["base"], ["ring"], ["codec", "config", "store"], ["sql", "infer", "gate"],
  ["driver", "connector"], ["runtime", "ota", "sim"], ["api", "web", "cli", "registry"],
  ["main", "worker"],
];

interface Power {
  readonly name: string;
  readonly pattern: RegExp;
  /** Files, or folders ending in `/`; a RegExp where each component has a home of its own. */
  readonly homes: readonly (string | RegExp)[];
}

const powers: readonly Power[] = [
  {
    name: "the machine's clocks are read in base/clock only",
    pattern: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bBun\.nanoseconds\b|\bhrtime\b/,
    homes: ["src/base/clock.ts", "src/web/"],
  },
  {
    name: "code is generated in sql/emit only",
    pattern: /\bnew Function\b|\beval\(/,
    homes: ["src/sql/emit/"],
  },
  {
    name: "Atomics are used in ring/bridge, ring/wake and ring/open-row only",
    pattern: /\bAtomics\b/,
    homes: ["src/ring/bridge.ts", "src/ring/wake.ts", "src/ring/open-row.ts"],
  },
  {
    name: "shared memory is made in ring/arena only, and for the clock",
    pattern: /\bnew SharedArrayBuffer\b/,
    homes: ["src/ring/arena.ts", "src/base/clock.ts"],
  },
  {
    name: "ffi is used in base/os only",
    pattern: /"bun:ffi"/,
    homes: ["src/base/os/"],
  },
  {
    name: "sockets are opened by a component's session or client, driver/wire, api and sim only",
    pattern: new RegExp(/\bBun\.(?:connect|listen|serve|udpSocket)\b|\bfetch\(|\bnew WebSocket\b/
      .source + /|"node:(?:net|tls|dgram|https?|http2)"|import (?!type)[^;]*from "mqtt"/.source +
      /|import [^;]*\b(?:SQL|RedisClient)\b[^;]*from "bun"/.source),
    homes: [
      /^src\/(driver|connector)\/[a-z0-9-]+\/(session|client)\.ts$/, "src/driver/wire/", "src/api/",
      "src/sim/", "src/cli/client.ts", "src/cli/sim.ts", "src/web/",
    ],
  },
  {
    name: "processes are started in infer/process, runtime/supervise and cli/self only",
    pattern: /\bBun\.spawn|"node:child_process"/,
    homes: ["src/infer/process.ts", "src/runtime/supervise.ts", "src/cli/self.ts"],
  },
  {
    name: "only main spells the worker's address",
    pattern: /\bnew URL\([^)]*worker/,
    homes: ["src/main.ts"],
  },
  {
    name: "files are opened in config/load, store, ota, infer/load, connector/file, cli, sim only",
    // Of api, the server makes and removes its own unix socket; infer unpacks its own engine.
    pattern: /"node:fs(?:\/promises)?"|\bBun\.(?:file|write)\b|"bun:sqlite"/,
    homes: [
      "src/config/load.ts", "src/store/", "src/ota/", "src/infer/load.ts", "src/connector/file/",
      "src/connector/sql/sqlite.ts", "src/driver/opcua/trust.ts",
      "src/cli/", "src/sim/", "src/api/server.ts", "src/infer/prepare.ts", "src/infer/wasm.ts",
    ],
  },
];

/** Words that say nothing about what a file or name holds. */
const vague = /(^|[\/.-])(utils?|helpers?|managers?|misc|common)([\/.-]|$)/;

/** Rules about one line, for all files. */
const manners: readonly { readonly name: string; readonly pattern: RegExp }[] = [
  { name: "no class or function called manager, helper or util",
    pattern: /\b(?:class|function|interface|type) \w*(?:Manager|Helper|Utils?)\b/ },
  { name: "nothing thrown is swallowed", pattern: /\bcatch\s*(?:\(\w+\)\s*)?\{\s*\}/ },
  { name: "no enum, namespace or parameter property", pattern: /^\s*(?:export )?(?:const )?enum / },
];

const columns_max = 100;
const entry_lines_max = 150;

export function findBreaches(files: readonly SourceFile[]): Breach[] {
  const breaches: Breach[] = [];
  for (const file of files) {
    const report = (line: number, rule: string): void => {
      breaches.push({ path: file.path, line, rule });
    };
    checkName(file, report);
    checkLines(file, report);
    if (!file.path.startsWith("src/")) continue;
    const code = withoutComments(file.text);
    checkImports(file.path, code, report);
    checkPowers(file.path, code, report);
  }
  breaches.push(...longEntries(files), ...deadExports(files));
  return breaches;
}

type Report = (line: number, rule: string) => void;

function checkName({ path }: SourceFile, report: Report): void {
  if (vague.test(path)) report(1, "a name that says nothing (utils, helpers, manager, common)");
  if (/[-.]v\d+\.ts$/.test(path)) report(1, "no version beside a version");
}

function checkLines({ text }: SourceFile, report: Report): void {
  text.split("\n").forEach((line, i) => {
    if ([...line].length > columns_max) report(i + 1, `at most ${columns_max} columns`);
    if (/\b(?:TO[D]O|FIX[M]E)\b/.test(line)) report(i + 1, "nothing is left to do in the source");
  });
  const code = withoutComments(text);
  for (const { name, pattern } of manners) {
    for (const line of linesOf(code, pattern)) report(line, name);
  }
}

/** Comments become blanks; lines stay where they are. */
function withoutComments(text: string): string {
  const blank = (found: string): string => found.replace(/[^\n]/g, " ");
  return text.replace(/\/\*[\s\S]*?\*\//g, blank).replace(/(?<=^|[\s;{},])\/\/[^\n]*/g, blank);
}

function linesOf(code: string, pattern: RegExp): number[] {
  const all = new RegExp(pattern.source, "gm");
  return [...code.matchAll(all)].map(({ index }) => code.slice(0, index).split("\n").length);
}

function checkPowers(path: string, code: string, report: Report): void {
  for (const { name, pattern, homes } of powers) {
    const home = homes.some((h) =>
      typeof h !== "string" ? h.test(path) : h.endsWith("/") ? path.startsWith(h) : path === h);
    if (home) continue;
    for (const line of linesOf(code, pattern)) report(line, name);
  }
}

/** `src/ring/bridge.ts` and `src/ring.ts` are both of the area `ring`. */
function areaOf(path: string): string | null {
  return /^src\/([a-z]+)(?:\.ts$|\/)/.exec(path)?.[1] ?? null;
}

const levelOf = (area: string): number => levels.findIndex((names) => names.includes(area));

/** `mqtt` of `src/connector/mqtt/client.ts`; null if the file is the area's own. */
function componentOf(path: string): string | null {
  return /^src\/(?:driver|connector)\/([a-z0-9-]+)(?:\.ts$|\/)/.exec(path)?.[1] ?? null;
}

/** Faces beside an area's own: the operating system, and what threads need without schemas. */
const faces = ["src/base/os.ts", "src/config/tag-on-link.ts"];

/** What the components of an area share, and may import. */
const shared = ["scaling", "status", "wire"];

function checkImports(path: string, code: string, report: Report): void {
  const from = areaOf(path);
  if (from === null || levelOf(from) < 0) {
    report(1, "a file of src belongs to an area that has a level");
    return;
  }
  const imports = /(?:\bfrom\s+|\bimport\s*\(?\s*)"(\.[^"]+)"/g;
  for (const match of code.matchAll(imports)) {
    const line = code.slice(0, match.index).split("\n").length;
    const target = normalize(join(dirname(path), match[1]!));
    const to = areaOf(target);
    if (to === null) continue;
    if (to === from) {
      const [a, b] = [componentOf(path), componentOf(target)];
      if (a !== null && b !== null && a !== b && !shared.includes(b)) {
        report(line, `components are strangers: ${a} imports ${b}`);
      }
      continue;
    }
    if (levelOf(to) >= levelOf(from)) {
      report(line, `${from} (level ${levelOf(from)}) may not import ${to} (${levelOf(to)})`);
    } else if (["driver", "connector"].includes(from) && levelOf(to) > 2) {
      report(line, `a component knows its contract and levels 0 to 2, not ${to}`);
    }
    if (target !== `src/${to}.ts` && !faces.includes(target)) {
      report(line, `imports the inside of ${to}, not its face`);
    }
  }
}

function longEntries(files: readonly SourceFile[]): Breach[] {
  const entries = files.filter((f) => f.path === "src/main.ts" || f.path === "src/worker.ts");
  const lines = entries.reduce((sum, f) => sum + f.text.split("\n").length - 1, 0);
  return lines < entry_lines_max ? [] :
    [{ path: "src/main.ts", line: 1, rule: `main and worker: under ${entry_lines_max} lines` }];
}

/** An exported value whose name stands in no other file, passing on apart. */
function deadExports(files: readonly SourceFile[]): Breach[] {
  const users = new Map<string, string[]>();
  for (const { path, text } of files) {
    // What a face passes on is not used by that.
    const uses = withoutComments(text).replace(/^export (?:type )?\{[^}]*\} from/gm, "");
    for (const word of new Set(uses.match(/\b[A-Za-z_]\w*\b/g))) {
      users.set(word, [...(users.get(word) ?? []), path]);
    }
  }
  return files.filter(({ path }) => path.startsWith("src/")).flatMap(({ path, text }) => {
    const exported = /^export (?:async )?(?:const|function\*?|class|abstract class) (\w+)/gm;
    return [...text.matchAll(exported)].flatMap(({ index, 1: name }) => {
      const used = users.get(name!)!.some((user) => user !== path);
      const line = text.slice(0, index).split("\n").length;
      return used ? [] : [{ path, line, rule: `nobody uses the exported ${name}` }];
    });
  });
}
