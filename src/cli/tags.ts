import { Fault, nearest } from "../base.ts";
import { fromNeuron, tagCsv, tagLines } from "../config.ts";
import { readText } from "./client.ts";
import { examine } from "./examine.ts";
import { Usage, word, type Verb } from "./verb.ts";

export const tagsVerb: Verb = {
  name: "tags",
  usage: "tags export GATEWAY.json DEVICE | tags import TABLE.csv",
  words: 3,
  summary: "a device's tags as a CSV file; a Neuron table as one",
  help: `export  prints the tags of a device as the CSV file that a type or another device can have
import  reads a table of tags as Neuron exports it (saved as CSV) and prints the same file; what it
        could not take over as it stood is told on standard error

  tagwerk tags export gateway.json m-01 > types/meter.csv
  tagwerk tags import neuron.csv > types/press.csv`,
  options: {},
  async run(args, host) {
    switch (word(args, 0, "export or import")) {
      case "export": {
        const path = word(args, 1, "GATEWAY.json");
        const { graph, texts } = examine(path, host.components, null);
        if (graph === null) {
          for (const text of texts) console.error(text);
          return 1;
        }
        const { devices } = graph.gateway;
        const name = word(args, 2, "DEVICE");
        const device = devices.find((one) => one.name === name);
        if (device === undefined) {
          const close = nearest(name, devices.map((one) => one.name));
          throw new Fault("unknown-device", `There is no device ${name}` +
            (close === null ? "" : `; did you mean ${close}?`), { device: name });
        }
        console.log(tagCsv(tagLines(device)));
        return 0;
      }
      case "import": {
        const { lines, notes } = fromNeuron(readText(word(args, 1, "TABLE.csv")));
        for (const note of notes) console.error(note);
        if (lines.length === 0) return 1;
        console.log(tagCsv(lines));
        return 0;
      }
      default: throw new Usage(`tags does not know "${args.words[0]}": export or import`);
    }
  },
};
