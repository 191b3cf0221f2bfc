/**
 * `bun run soak NAME [--count N] [--seed S]`: a suite of the check with a larger count, or a script
 * that runs it in parts. Alone, it prints the list.
 */
import { parseArgs } from "node:util";

const soaks: Readonly<Record<string, { readonly what: string; readonly path: string;
  readonly script?: true }>> = {
  crash: { what: "kills of the binary at writes, syncs and sends: no row lost, none counted twice",
    path: "test/soak/crash.test.ts" },
  race: { what: "rows between real workers", path: "test/race" },
  differential: { what: "random queries in processes of 2,500, generated code = reference",
    path: "test/soak/differential.ts", script: true },
  sqlite: { what: "random queries over the rows of a window: SQLite gives the same",
    path: "test/sql/sqlite.test.ts" },
  mutants: { what: "changed kernels: the differential suite finds them",
    path: "test/mutants/mutants.test.ts" },
  fuzz: { what: "damaged queries: understood or refused with their place",
    path: "test/fuzz/query.test.ts" },
  drivers: { what: "damaged answers and requests of equipment: no wrong value, no crash",
    path: "test/fuzz/driver.test.ts" },
  registers: { what: "requests to the Modbus server, sound and damaged: one right answer each",
    path: "test/fuzz/registers.test.ts" },
  telegrams: { what: "streams of telegrams, sound and damaged: no wrong one, no crash",
    path: "test/fuzz/telegram.test.ts" },
  modbus: { what: "any bytes for answers of Modbus: nothing that is no right frame",
    path: "test/fuzz/modbus.test.ts" },
  opcua: { what: "values, addresses, certificates and trust files of OPC UA, damaged",
    path: "test/fuzz/opcua.test.ts" },
  hiding: { what: "queries that may write: no good value of a bad input",
    path: "test/sql/hiding.test.ts" },
  gate: { what: "random commands, gate = a second reading of its order", path: "test/gate" },
  noise: { what: "exchanges on a bus with changed, stray, echoed and late bytes (RTU)",
    path: "test/soak/noise.test.ts" },
  overhear: { what: "reads of another master on such a bus, listened to: no wrong value",
    path: "test/soak/overhear.test.ts" },
  writes: { what: "write attempts on the binary, judged from the machine's side (W22)",
    path: "test/soak/writes.test.ts" },
  world: { what: "worlds of 10 simulated minutes in which everything goes wrong",
    path: "test/world" },
};

const { values, positionals } = parseArgs({
  options: { count: { type: "string" }, seed: { type: "string" } }, allowPositionals: true,
});
const soak = soaks[positionals[0] ?? ""];
if (soak === undefined) {
  for (const [name, { what }] of Object.entries(soaks)) console.log(`${name.padEnd(14)} ${what}`);
  process.exit(positionals.length === 0 ? 0 : 2);
}
const command = soak.script ? [] : ["test", "--timeout", "7200000"];
const child = Bun.spawn([process.execPath, ...command, `./${soak.path}`], {
  stdout: "inherit", stderr: "inherit",
  env: {
    ...process.env,
    ...(values.count === undefined ? {} : { SOAK_COUNT: values.count }),
    ...(values.seed === undefined ? {} : { SOAK_SEED: values.seed }),
  },
});
process.exitCode = await child.exited;
