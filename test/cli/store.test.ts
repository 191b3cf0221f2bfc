import { afterAll, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { lockFile } from "../../src/base/os.ts";
import { Client } from "../../src/cli/client.ts";
import { openStore } from "../../src/store.ts";
import { workFolder } from "../support/binary.ts";

const folder = workFolder();
afterAll(() => folder.remove());

const open = (directory: string) =>
  openStore(directory, { maxMB: 8, stateMB: 8, lock: lockFile, now: () => 0, time: () => 0 });

/** Where a client of this configuration asks, seen from what it says when nobody answers. */
async function asked(config: string): Promise<string> {
  const client = new Client({ words: [], options: { config } });
  return client.get("/health").then(String, (thrown: Error) => thrown.message);
}

test("W25: a simulation is found by its lock, also beside the socket of one that was killed",
  async () => {
    const config = folder.write("gateway.json", { store: { directory: "./store" } });
    const real = join(folder.path, "store");
    mkdirSync(real);
    folder.write("store/tagwerk.sock", "left behind");
    expect(await asked(config)).toContain(`${real}/tagwerk.sock`);
    const simulation = open(`${real}-simulation`);
    expect(await asked(config)).toContain(`${real}-simulation/tagwerk.sock`);
    const machine = open(real);
    expect(await asked(config)).toContain(`${real}/tagwerk.sock`);
    machine.close();
    simulation.close();
  });
