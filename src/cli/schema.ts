import { jsonSchema } from "../config.ts";
import { componentSchemas } from "./examine.ts";
import type { Verb } from "./verb.ts";

export const schemaVerb: Verb = {
  name: "schema",
  usage: "schema",
  words: 0,
  summary: "JSON Schema of the configuration, for an editor",
  help: "Save it beside the configuration: tagwerk schema > tagwerk.schema.json",
  options: {},
  async run(_args, host) {
    console.log(JSON.stringify(jsonSchema(componentSchemas(host.components)), null, 2));
    return 0;
  },
};
