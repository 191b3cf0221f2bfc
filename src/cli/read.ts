import type { DeviceView, TagView } from "../runtime.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { age, show, table } from "./table.ts";
import type { Args, Verb } from "./verb.ts";

/** Items of an array that a line has room for. */
const items_max = 8;

/** Tags by `device.tag`, whole devices by `device`, or all. */
export async function readTags(client: Client, words: readonly string[]): Promise<TagView[]> {
  if (words.length === 0) {
    return ((await client.get("/devices")) as DeviceView[]).flatMap((device) => device.tags);
  }
  const found = await Promise.all(words.map(async (name) => {
    const path = encodeURIComponent(name);
    if (name.includes(".")) return [(await client.get(`/tags/${path}`)) as TagView];
    return [...((await client.get(`/devices/${path}`)) as DeviceView).tags];
  }));
  return found.flat();
}

function brief(value: TagView["value"]): string {
  if (!Array.isArray(value) || value.length <= items_max) return show(value);
  return `[${value.slice(0, items_max).map(show).join(", ")}, … ${value.length} in all]`;
}

export function tagTable(tags: readonly TagView[]): string {
  return table([
    ["TAG", "VALUE", "UNIT", "QUALITY", "AGE"],
    ...tags.map((tag) => [tag.id, brief(tag.value), tag.eu ?? "", tag.quality, age(tag.age_ms)]),
  ]);
}

export const readVerb: Verb = {
  name: "read",
  usage: "read [TAG|DEVICE]…",
  words: Infinity,
  summary: "newest values with quality and age",
  help: clientHelp,
  options: clientOptions,
  async run(args: Args) {
    const tags = await readTags(new Client(args), args.words);
    console.log(args.options["json"] ? JSON.stringify(tags, null, 2) : tagTable(tags));
    return tags.every((tag) => tag.quality === "good") ? 0 : 1;
  },
};
