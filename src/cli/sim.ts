import { createInterface } from "node:readline";
import { dirname, resolve } from "node:path";
import { createLog, Fault, systemClock } from "../base.ts";
import { load, problemText } from "../config.ts";
import { readPlant, simulated, startSim, type Behaviour } from "../sim.ts";
import { readText } from "./client.ts";
import { componentSchemas } from "./examine.ts";
import { text, Usage, word, type Args, type Host, type Verb } from "./verb.ts";

export const simVerb: Verb = {
  name: "sim",
  usage: "sim GATEWAY.json",
  words: 1,
  summary: "a simulated plant that answers as the configured devices",
  help: `
      --plant FILE      how the tags behave (default: setpoints hold, the rest swings slowly)
      --links-out FILE  which port stands for which link (default sim-links.json),
                        for "tagwerk run GATEWAY.json --links FILE"
      --log FILE        append every frame to FILE, one JSON object a line
      --control FILE    unix socket that takes commands (default sim.sock)
      --seed N          same seed, same plant (default 1)
      --speed X         plant seconds a second (default 1)
      --attached        end with standard input, and not on Ctrl-C (as run --simulate starts it)
      --send COMMAND    send one command to a running simulator and print its answer
Commands also come as lines on standard input; "help" lists them.`,
  options: {
    plant: { type: "string" }, "links-out": { type: "string" }, log: { type: "string" },
    control: { type: "string" }, seed: { type: "string" }, speed: { type: "string" },
    send: { type: "string" }, attached: { type: "boolean" },
  },
  async run(args, host) {
    const control = text(args, "control") ?? "sim.sock";
    const send = text(args, "send");
    return send === null ? await simulate(args, host, control) : await sendCommand(control, send);
  },
};

async function simulate(args: Args, host: Host, control: string): Promise<number> {
  const path = word(args, 0, "GATEWAY.json");
  const { drivers } = host.components;
  const { gateway, problems } = load(readText(path), {
    path: resolve(path),
    components: componentSchemas(host.components),
    readFile: (file) => readText(resolve(dirname(path), file)),
    env: process.env,
  });
  if (gateway === null) return complain(problems.map((problem) => problemText(problem, path)));
  const tags = simulated(gateway, drivers).flatMap((part) => part.signals);
  const plantPath = text(args, "plant");
  let behaviours: Readonly<Record<string, Behaviour>> = {};
  if (plantPath !== null) {
    const plant = readPlant(readText(plantPath), plantPath, tags);
    const texts = plant.problems.map((problem) => problemText(problem, plantPath));
    if (texts.length > 0) return complain(texts);
    behaviours = plant.behaviours;
  }
  const linksOut = text(args, "links-out") ?? "sim-links.json";
  const clock = systemClock();
  const sim = await startSim(gateway, drivers, behaviours, {
    seed: positive(args, "seed", 1), speed: positive(args, "speed", 1),
    frameLog: text(args, "log"), linksOut, control,
    time: () => clock.time(),
    log: createLog("info", () => clock.time(), (line) => process.stderr.write(`${line}\n`)),
  });
  for (const [name, settings] of Object.entries(sim.links)) {
    console.log(`${name.padEnd(16)} ${Object.values(settings).join(" ")}`);
  }
  console.log(`written to ${linksOut}; commands: ${control} or standard input ("help")`);
  const input = createInterface({ input: process.stdin }).on("line", (line) => {
    if (line.trim() !== "") console.log(sim.command(line));
  });
  const attached = args.options["attached"] === true;
  await new Promise<void>((resolve) => {
    // Ctrl-C reaches both of a pair; the other one still writes while it stops.
    process.on("SIGINT", () => { if (!attached) resolve(); });
    process.once("SIGTERM", () => resolve());
    if (attached) input.once("close", () => resolve());
  });
  sim.close();
  process.stdin.destroy();
  return 0;
}

function complain(texts: readonly string[]): number {
  for (const problem of texts) console.error(`${problem}\n`);
  return 1;
}

function positive(args: Args, name: string, usual: number): number {
  const given = text(args, name);
  const number = given === null ? usual : Number(given);
  if (!(number > 0 && Number.isFinite(number))) throw new Usage(`--${name} wants a number over 0`);
  return number;
}

/** One command to a running simulator; exit code 0 if it took it. */
async function sendCommand(path: string, command: string): Promise<number> {
  const answer = await ask(path, command);
  console.log(answer);
  return (JSON.parse(answer) as { ok: boolean }).ok ? 0 : 1;
}

function ask(path: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const failed = (): void => reject(new Fault("not-running",
      `No simulator answers at ${path}. Is one running, and is --control right?`, { path }));
    let received = "";
    Bun.connect({
      unix: path,
      socket: {
        open: (socket) => { socket.write(`${command}\n`); },
        data: (socket, bytes) => {
          received += bytes.toString();
          if (!received.includes("\n")) return;
          resolve(received.trimEnd());
          socket.end();
        },
        close: failed,
      },
    }).catch(failed);
  });
}
