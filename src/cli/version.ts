import manifest from "../../package.json" with { type: "json" };
import type { Verb } from "./verb.ts";

export const version = manifest.version;

export const versionVerb: Verb = {
  name: "version",
  usage: "version",
  words: 0,
  summary: "version, commit and target of this file",
  help: "",
  options: {},
  async run() {
    const commit = process.env.TAGWERK_COMMIT ?? "development";
    const target = process.env.TAGWERK_TARGET ?? `${process.platform}-${process.arch}`;
    console.log(`tagwerk ${version} (${commit}, ${target}, bun ${Bun.version})`);
    return 0;
  },
};
