import { startApi } from "./api.ts";
import { cli } from "./cli.ts";
import { connectors, drivers, tables } from "./registry.ts";

process.exitCode = await cli(process.argv.slice(2), {
  components: { drivers, connectors, tables },
  startApi,
  // Only this file may spell it: inside an executable every module's own URL is another.
  workerUrl: new URL("./worker.ts", import.meta.url).href,
});
