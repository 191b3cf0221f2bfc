import { Fault, type Log } from "../base.ts";
import { spawnSelf } from "./self.ts";

/** The simulated plant of `run --simulate`: `tagwerk sim` in a process of its own. */
export interface PlantProcess {
  /** File that says which port stands for which link. */
  readonly links: string;
  stop(): Promise<void>;
}

const links_file = "sim-links.json";
/** Characters of what it prints in which its start is looked for: one line a link, and one more. */
const said_max = 1 << 20;

/**
 * Starts it and waits until it answers. It ends with its standard input, so also when this process
 * is killed. Null: it has said what is wrong with the configuration or the plant file.
 */
export async function startPlant(
  path: string, plant: string | null, log: Log,
): Promise<PlantProcess | null> {
  const options = plant === null ? [] : ["--plant", plant];
  const child = spawnSelf(
    ["sim", path, "--attached", "--links-out", links_file, ...options], "pipe");
  let stopping = false;
  if (!(await isUp(child.stdout))) {
    const code = await child.exited;
    if (code === 1) return null;
    throw new Fault("plant-ended", "The simulated plant ended with " +
      (child.signalCode ?? `exit code ${code}`), { code, signal: child.signalCode ?? "" });
  }
  void child.exited.then(() => {
    if (!stopping) log.error("run", "the simulated plant has ended: nothing answers any more");
  });
  return {
    links: links_file,
    async stop(): Promise<void> {
      stopping = true;
      await child.stdin.end();
      await child.exited;
    },
  };
}

/** Passes on what it prints; true once it says that it takes commands, false = it ended before. */
function isUp(output: ReadableStream<Uint8Array>): Promise<boolean> {
  return new Promise((resolve) => {
    const pass = async (): Promise<void> => {
      const decoder = new TextDecoder();
      let said = "";
      for await (const bytes of output) {
        process.stdout.write(bytes);
        if (said.length < said_max) said += decoder.decode(bytes, { stream: true });
        if (said.includes("commands:")) resolve(true);
      }
      resolve(false);
    };
    void pass();
  });
}
