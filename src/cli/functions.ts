import { nearest } from "../base.ts";
import { manual, type ManualEntry } from "../sql.ts";
import { Usage, type Verb } from "./verb.ts";

function list(): string {
  const titles = [...new Set(manual.map(({ family }) => family))];
  return titles.map((title) => {
    const names = manual.filter(({ family }) => family === title)
      .flatMap(({ name, also }) => [name, ...also]);
    return `${title}\n  ${names.join(" ")}`;
  }).join("\n\n");
}

function page({ usage, gives, doc, examples, also, source }: ManualEntry): string {
  return [`${usage} → ${gives}`, doc,
    ...(also.length === 0 ? [] : [`Also called ${also.join(", ")}`]),
    ...(source === null ? [] : [`After ${source}`]),
    ...examples.map((example) => `  ${example}`)].join("\n");
}

export const functionsVerb: Verb = {
  name: "functions",
  usage: "functions [NAME]",
  summary: "what a function of SQL takes and gives, with examples",
  help: "Without a name it lists all of them. In examples a column x has these values, in rows a " +
    "second apart.",
  words: 1,
  options: {},
  async run(args) {
    const [name] = args.words;
    if (name === undefined) {
      console.log(list());
      return 0;
    }
    const wanted = name.toLowerCase();
    const found = manual.find((entry) => entry.name === wanted || entry.also.includes(wanted));
    if (found === undefined) {
      const close = nearest(name, manual.flatMap((entry) => [entry.name, ...entry.also]));
      throw new Usage(`there is no function ${name}()` +
        (close === null ? "" : `; did you mean ${close}?`));
    }
    console.log(page(found));
    return 0;
  },
};
