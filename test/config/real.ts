import { componentSchemas } from "../../src/cli/examine.ts";
import { load, type Loaded } from "../../src/config.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";

const components = componentSchemas({ drivers, connectors, tables });

/** A configuration by the components of the binary, with the `files` that it names. */
export function loadReal(config: object, files: Readonly<Record<string, string>> = {}): Loaded {
  return load(JSON.stringify(config), { path: "/etc/gateway.json", components, env: {},
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`there is no ${path}`);
      return text;
    } });
}
