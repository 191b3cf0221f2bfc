import { dirname, join, resolve } from "node:path";
import { duration, Fault, limits, nearest } from "../base.ts";
import { monotonic } from "../base/os.ts";
import { load, problemText, type Link } from "../config.ts";
import { DONE, type AnyDriver, type Driver, type DriverTag, type Search } from "../driver.ts";
import { lockHolder } from "../store.ts";
import { Asker, type Answer } from "./asker.ts";
import { clientOptions, readText, simulationStore } from "./client.ts";
import { componentSchemas } from "./examine.ts";
import { scanServer } from "./scan-server.ts";
import { text, Usage, word, type Args, type Host, type Verb } from "./verb.ts";

const usual_stations = "1-32";
const usual_registers = "0-31";
const usual_pause = "20ms";
const server_timeout = "5s";
/** Bytes of nobody we asked: another master, or a device that answers after we have given up. */
const stray_bytes_max = 64;
/** Of a scan that takes long: how often it says how far it is. */
const progress_ms = 5000;

export const scanVerb: Verb = {
  name: "scan",
  usage: "scan LINK",
  words: 1,
  summary: "what answers on a link: stations, registers, endpoints",
  help: `Only for a link that nobody else uses: it is refused while a Tagwerk runs by this
configuration, or a simulation of it, or another program has the port, and on a bus it first
listens for another master, and stays silent if there is one. It sends reads, one after the other
with a pause, and never a write. An OPC UA server is asked for its endpoints alone: security,
users, its certificate.
  -c, --config FILE   the configuration that has the link (default gateway.json here)
      --store DIR     another store than the configuration's
      --stations A-B  stations to ask (default ${usual_stations})
      --registers A-B numbers to ask for in each area (default ${usual_registers}), or none
      --search        a bus whose settings are not known: try speeds and parities until one answers
      --timeout TIME  longest wait for an answer, instead of the link's own
      --pause TIME    between two reads (default ${usual_pause})`,
  options: {
    config: clientOptions.config, store: clientOptions.store, stations: { type: "string" },
    registers: { type: "string" }, search: { type: "boolean" }, timeout: { type: "string" },
    pause: { type: "string" },
  },
  run,
};

interface Scan {
  readonly driver: Driver;
  readonly search: Search;
  readonly link: Link;
  readonly stations: readonly number[];
  /** Numbers of each area. */
  readonly registers: readonly number[];
  readonly pause: number;
}

async function run(args: Args, host: Host): Promise<number> {
  const config = text(args, "config") ?? "gateway.json";
  const { link: asked, driver, store } = linkOf(args, host, config);
  refuseIfSimulated(store, asked.name);
  if (driver.medium === "client") {
    refuseOptions(args, asked);
    const timed = over(asked, { connectTimeout: time(args, "timeout", server_timeout) });
    return await scanServer(driver, timed, join(store, asked.type)) ? 0 : 1;
  }
  const found = { driver, search: searchOf(driver, asked), link: asked };
  refuseIfRunning(store, asked.name);
  const { search } = found;
  const registers = text(args, "registers") ?? usual_registers;
  const timeout = text(args, "timeout");
  const scan: Scan = {
    ...found,
    link: timeout === null ? found.link : over(found.link, { timeout: time(args, "timeout", "") }),
    stations: range(text(args, "stations") ?? usual_stations, "stations", search.stations),
    registers: registers === "none" ? [] : range(registers, "registers", [0, search.last]),
    pause: time(args, "pause", usual_pause),
  };
  const searching = args.options["search"] === true;
  if (searching && search.lines.length === 0) {
    throw new Usage(`--search is for a bus; ${scan.link.name} has no speed and no parity`);
  }
  return await (searching ? searchLine(scan) : scanLink(scan)) ? 0 : 1;
}

/** A server has no stations and no speed. */
function refuseOptions(args: Args, link: Link): void {
  const given = ["stations", "registers", "search", "pause"]
    .find((name) => args.options[name] !== undefined);
  if (given === undefined) return;
  throw new Usage(`--${given} is for stations with registers; of ${link.name}, ${link.type}, the ` +
    "endpoints are shown, and tagwerk browse shows its values");
}

function linkOf(
  args: Args, host: Host, config: string,
): { driver: AnyDriver; link: Link; store: string } {
  const name = word(args, 0, "LINK");
  const { gateway, problems } = load(readText(config), {
    path: resolve(config), components: componentSchemas(host.components),
    readFile: (file) => readText(resolve(dirname(config), file)), env: process.env,
  });
  if (gateway === null) {
    throw new Fault("config", problems.map((problem) => problemText(problem, config)).join("\n"));
  }
  const link = gateway.links.find((one) => one.name === name);
  if (link === undefined) {
    const close = nearest(name, gateway.links.map((one) => one.name));
    throw new Fault("unknown-link", `There is no link ${name}` +
      (close === null ? "" : `; did you mean ${close}?`), { link: name });
  }
  const driver = host.components.drivers.find(({ type }) => type === link.type);
  if (driver === undefined) {
    throw new Fault("scan", `${name} is of type ${link.type}, which leads to no equipment`,
      { link: name });
  }
  return { driver, link, store: text(args, "store") ?? gateway.store.directory };
}

function searchOf({ search, ear }: Driver, link: Link): Search {
  const { name, type } = link;
  if (ear?.(link) === null) {
    throw new Fault("scan", `${name} only listens: another master has this bus, and a scan would ` +
      `ask on it; tagwerk frames ${name} shows what passes`, { link: name });
  }
  if (search !== undefined) return search;
  throw new Fault("scan", `${name} is of type ${type}: what can be scanned has numbered stations ` +
    "and registers (Modbus), or is a server that tells its endpoints (OPC UA)", { link: name });
}

/** Two masters on one bus garble each other's frames; a device may bear one client only. */
function refuseIfRunning(store: string, link: string): void {
  const pid = lockHolder(store);
  if (pid === null) return;
  throw new Fault("link-in-use", `A Tagwerk runs by this configuration (pid ${pid}) and has ` +
    `${link}: stop it first, or look on with tagwerk frames ${link}`, { link, pid });
}

/** W25: who looks at a simulation does not expect the machine to be asked. */
function refuseIfSimulated(store: string, link: string): void {
  const pid = lockHolder(simulationStore(store));
  if (pid === null) return;
  throw new Fault("simulated", `A simulation of this configuration runs (pid ${pid}), and a scan ` +
    `would ask the real ${link}: stop the simulation first`, { link, pid });
}

const over = (link: Link, settings: Readonly<Record<string, unknown>>): Link =>
  ({ ...link, settings: { ...link.settings, ...settings } });

function time(args: Args, name: string, usual: string): number {
  const ms = duration(text(args, name) ?? usual);
  if (ms === null || ms <= 0) throw new Usage(`--${name} wants a time with a unit, as 100ms`);
  return ms;
}

function range(given: string, name: string, [least, most]: readonly [number, number]): number[] {
  const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(given) ?? [];
  const [from, to] = [Number(first), Number(last ?? first)];
  if (first === undefined || from < least || to > most || from > to) {
    throw new Usage(`--${name} wants A-B from ${least} to ${most}, not "${given}"`);
  }
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

const tagAt = (station: number, area: Search["areas"][number], n: number): DriverTag => ({
  id: `scan.${area.name}`, station, at: `${area.name} ${n}`, type: area.type, scale: 1, offset: 0,
  decimals: null, signal: null, wordOrder: "ABCD", writable: false, column: 0,
});

async function opened({ driver, link, pause }: Scan): Promise<Asker> {
  const asker = new Asker(driver, link, pause);
  try {
    await asker.open(limits.serial_listen_ms + limits.connect_ms_max);
    return asker;
  } catch (thrown) {
    asker.close();
    throw thrown;
  }
}

/** Stays off a line on which somebody else speaks. */
async function ask(asker: Asker, { link }: Scan, tag: DriverTag): Promise<Answer> {
  const answer = await asker.read(tag);
  if (asker.stray <= stray_bytes_max) return answer;
  throw new Fault("link-in-use", `${link.name}: ${asker.stray} bytes came that nobody was asked ` +
    "for: another master speaks here, or devices answer later than --timeout", { link: link.name });
}

const isThere = ({ result, exception }: Answer, { absent }: Search): boolean =>
  result === DONE || (exception !== 0 && !absent.includes(exception));

/** True if somebody answered. */
async function scanLink(scan: Scan): Promise<boolean> {
  const { link, search, stations } = scan;
  const asker = await opened(scan);
  let toldAt = monotonic();
  try {
    let found = 0;
    for (const [i, station] of stations.entries()) {
      if (monotonic() >= toldAt + progress_ms) {
        console.error(`${link.name}: ${i} of ${stations.length} stations were asked`);
        toldAt = monotonic();
      }
      const answer = await ask(asker, scan, tagAt(station, search.areas[0]!, 0));
      if (!isThere(answer, search)) continue;
      found += 1;
      console.log(`station ${station} answers`);
      await scanStation(asker, scan, station);
    }
    console.log(`${link.name}: ${found} of ${stations.length} stations answer`);
    return found > 0;
  } finally {
    asker.close();
  }
}

async function scanStation(asker: Asker, scan: Scan, station: number): Promise<void> {
  const { driver, search, registers } = scan;
  for (const area of search.areas) {
    let run: { from: number; values: string[] } | null = null;
    const tell = (): void => {
      if (run === null) return;
      const { from, values } = run;
      const to = from + values.length - 1;
      console.log(`  ${area.name} ${from}${to > from ? `..${to}` : ""}: ${values.join(" ")}`);
      run = null;
    };
    for (const n of registers) {
      const tag = tagAt(station, area, n);
      const { result, exception, raw } = await ask(asker, scan, tag);
      if (search.withoutArea.includes(exception)) break;
      if (result !== DONE) {
        tell();
        continue;
      }
      run ??= { from: n, values: [] };
      run.values.push(String(driver.decode(tag, raw)));
    }
    tell();
  }
}

/** Each line is listened to before the first byte leaves on it; the first that answers is taken. */
async function searchLine(scan: Scan): Promise<boolean> {
  const { link, search, stations } = scan;
  for (const line of [{}, ...search.lines]) {
    const tried: Scan = { ...scan, link: over(link, line) };
    const { baud, dataBits = 8, parity, stopBits } = tried.link.settings;
    console.log(`${link.name}: ${baud} baud, ${dataBits} data bits, parity ${parity}, ` +
      `${stopBits} stop bit(s)`);
    const asker = await opened(tried);
    try {
      for (const station of stations) {
        const answer = await ask(asker, tried, tagAt(station, search.areas[0]!, 0));
        if (!isThere(answer, search)) continue;
        console.log(`station ${station} answers with these settings`);
        await scanStation(asker, tried, station);
        return true;
      }
    } finally {
      asker.close();
    }
  }
  console.log(`${link.name}: nobody answers, whatever the settings; is A swapped with B, or the ` +
    "device off?");
  return false;
}
