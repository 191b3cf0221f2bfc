import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLog, limits, systemClock, type Clock, type Log, type LogLevel } from "../base.ts";
import { dropStartCode, lockFile } from "../base/os.ts";
import {
  machineWorld, planText, startRuntime, type ConfigTexts, type ConfigurationFile, type Graph,
} from "../runtime.ts";
import { openStore, type Store } from "../store.ts";
import { boundEngine } from "./bounds.ts";
import { configuredStore, default_directory, simulationStore, socket_name } from "./client.ts";
import { readTexts } from "./examine.ts";
import { examineApart } from "./examiner.ts";
import { keepTexts } from "./keep.ts";
import { startPlant } from "./plant.ts";
import { text, Usage, word, type Args, type Host, type Verb } from "./verb.ts";
import { version } from "./version.ts";

export const runVerb: Verb = {
  name: "run",
  usage: "run GATEWAY.json",
  words: 1,
  summary: "collect, compute, and write what is armed; until Ctrl-C",
  help: `
      --simulate      all of it in the office: "tagwerk sim" beside it stands for the links, on a
                      store of its own; what it cannot stand for stays closed
      --plant FILE    how the tags of --simulate behave, as of "tagwerk sim"
      --links FILE    a simulation: these links instead of the real ones, on a store of its own
      --store DIR     another store than the configuration's
      --normal        leave safe mode: forget the starts that did not end well
      --log LEVEL     debug, info (default), warn or error`,
  options: {
    simulate: { type: "boolean" }, plant: { type: "string" }, links: { type: "string" },
    store: { type: "string" }, normal: { type: "boolean" },
    log: { type: "string" },
  },
  run,
};

async function run(args: Args, host: Host): Promise<number> {
  boundEngine();
  const path = word(args, 0, "GATEWAY.json");
  const clock = systemClock();
  const log = createLog(logLevel(args), () => clock.time(), (line) =>
    process.stderr.write(`${line}\n`));
  const plantFile = text(args, "plant");
  if (args.options["simulate"] !== true) {
    if (plantFile !== null) throw new Usage("--plant is for --simulate");
    return await runWith(args, host, path, text(args, "links"), clock, log);
  }
  if (text(args, "links") !== null) throw new Usage("--simulate makes its own --links");
  const plant = await startPlant(path, plantFile, log);
  if (plant === null) return 1;
  try {
    return await runWith(args, host, path, plant.links, clock, log);
  } finally {
    await plant.stop();
  }
}

/** `links`: what stands for the links of a simulation, or null: it is the machine. */
async function runWith(
  args: Args, host: Host, path: string, links: string | null, clock: Clock, log: Log,
): Promise<number> {
  const texts = readTexts(path);
  const { graph, texts: problems } = await examineApart(host.components,
    { path, texts, links, name: path });
  for (const problem of problems) console.error(`${problem}\n`);
  const directory = text(args, "store") ?? storeOf(path, links);
  if (directory === null) {
    console.error("Where its store is cannot be read, so the last good configuration is not " +
      "known: --store DIR names it");
    return 1;
  }
  const store = openStore(directory, {
    maxMB: graph?.gateway.store.maxMB ?? default_store_MB,
    stateMB: graph?.gateway.store.stateMB ?? default_state_MB, lock: lockFile,
    now: () => clock.now(), time: () => clock.time(),
  });
  try {
    const chosen = await choose(graph, texts, path, store, host, links, log);
    if (chosen === null || !fits(chosen.graph)) return 1;
    await serve({ ...chosen, store, clock, log, host, normal: args.options["normal"] === true,
      path, links });
    return 0;
  } finally {
    store.close();
  }
}

/** Null: the text is damaged, and there is no store where one is by default (W5). */
function storeOf(path: string, links: string | null): string | null {
  const configured = configuredStore(path) ?? (existsSync(default_directory)
    ? default_directory : null);
  return configured === null || links === null ? configured : simulationStore(configured);
}

function logLevel(args: Args): LogLevel {
  const level = text(args, "log") ?? "info";
  const known = ["debug", "info", "warn", "error"] as const;
  const found = known.find((name) => name === level);
  if (found === undefined) throw new Usage(`--log is one of ${known.join(", ")}, not "${level}"`);
  return found;
}

interface Serving {
  readonly graph: Graph;
  readonly rejected: boolean;
  readonly texts: ConfigTexts;
  readonly path: string;
  /** Laid over it: a simulation. */
  readonly links: string | null;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly host: Host;
  readonly normal: boolean;
}

/** Runs until a signal; whatever ends it, links are closed and sinks drained. */
async function serve(serving: Serving): Promise<void> {
  const { graph, rejected, texts, store, clock, log, host, normal } = serving;
  const before = store.lastGood;
  const { configHash, policyHash, api: listening, id } = graph.gateway;
  const configChanged = before !== null &&
    (before.configHash !== configHash || before.policyHash !== policyHash);
  // From now on: who stops it while it starts means an orderly stop too.
  const ending = signalled();
  if (!rejected) store.saveGood({ ...texts, configHash, policyHash });
  const world = machineWorld(clock, log, host.workerUrl, store.directory);
  const runtime = await startRuntime({
    graph, components: host.components, store, version, configChanged, world,
    safeMode: inSafeMode(graph, store, normal, log), configRejected: rejected,
    file: configurationFile(serving),
  });
  try {
    const socket = join(store.directory, socket_name);
    const api = host.startApi({ runtime, ...listening, socket, version, log });
    log.info("run", `${id} is up`, { api: api.url, store: store.directory });
    dropStartCode(readFileSync("/proc/self/maps", "utf8"));
    log.info("run", `stopping on ${await ending}`);
    await runtime.stop();
    await api.stop();
    store.clearStarts();
  } catch (thrown) {
    await runtime.stop();
    throw thrown;
  }
}

/** What is applied while it runs stands in its place; what is only simulated does not. */
function configurationFile({ texts, path, links, host, log }: Serving): ConfigurationFile {
  return {
    texts,
    examine: (given, name) => examineApart(host.components,
      { path, texts: given, links, name: name ?? path }),
    keep: (given) => {
      if (links === null) keepTexts(path, given);
      else log.warn("run", `a simulation leaves ${path} as it is`);
    },
  };
}

const default_store_MB = 512;
const default_state_MB = 128;

/** W5: a configuration that does not pass is not run; the last good pair is, with writing off. */
async function choose(
  graph: Graph | null, texts: ConfigTexts, path: string, store: Store, host: Host,
  links: string | null, log: Log,
): Promise<{ graph: Graph; texts: ConfigTexts; rejected: boolean } | null> {
  if (graph !== null) return { graph, texts, rejected: false };
  const good: ConfigTexts | null = store.lastGood;
  if (good === null) return null;
  const last = await examineApart(host.components, { path, texts: good, links, name: path });
  if (last.graph === null) return null;
  log.error("run", "the configuration is rejected; the last good one runs, with writing off");
  return { graph: last.graph, texts: good, rejected: true };
}

function fits(graph: Graph): boolean {
  const plan = planText(graph);
  if (!plan.fits) console.error(plan.text);
  return plan.fits;
}

/** W5: the third start without an orderly stop or health in between. */
function inSafeMode(graph: Graph, store: Store, normal: boolean, log: Log): boolean {
  if (normal) store.clearStarts();
  const starts = store.recordStart();
  const most = graph.gateway.profile.limits["starts_max"] ?? limits.starts_max;
  if (most === 0 || starts < most) return false;
  log.error("run", "safe mode: rules, models and writes are off; leave it with run --normal",
    { starts });
  return true;
}

function signalled(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => resolve(signal));
    }
  });
}

