import { startApi } from "./api.ts";
import { cli } from "./cli.ts";
import { connectors, drivers, tables } from "./registry.ts";

const code = await cli(process.argv.slice(2), {
  components: { drivers, connectors, tables },
  startApi,
  // Only this file may spell it: inside an executable every module's own URL is another.
  workerUrl: new URL("./worker.ts", import.meta.url).href,
});
// The kernel tries for two minutes to reach a device that is off, and nothing can take that back.
process.exit(code);
