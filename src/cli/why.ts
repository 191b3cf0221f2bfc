import type { WhyView } from "../runtime.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { age, show } from "./table.ts";
import { word, type Verb } from "./verb.ts";

type Counters = WhyView["link"]["counters"];

/** What did not go well on the link since the start, and out of how many requests. */
function counted({ requests, timeouts, garbled, exceptions, stray }: Counters): string {
  const wrong = Object.entries({ timeouts, garbled, exceptions, "stray bytes": stray })
    .filter(([, n]) => (n ?? 0) > 0).map(([what, n]) => `${n} ${what}`);
  return `${requests ?? 0} requests, ${wrong.join(", ") || "nothing wrong"}`;
}

function whyText(why: WhyView): string {
  const { tag, link, gate } = why;
  const station = link.stations.map((s) => `${s.station}: ${s.reason}`).join(", ");
  const category = tag.category === null || tag.category === "good" ? "" : ` (${tag.category})`;
  return [
    `${tag.id} = ${show(tag.value)} ${tag.eu ?? ""}  ${tag.quality}${category}, ` +
      `${age(tag.age_ms)} old` + (tag.flags === undefined ? "" : `, ${tag.flags.join(", ")}`),
    `  device   ${why.device}, ${tag.at} as ${tag.type}, group ${tag.group}`,
    `  link     ${link.name} (${link.type}) ${link.state}: ${link.reason}`,
    `  stations ${station || "-"}`,
    `  counted  ${counted(link.counters)}`,
    `  frame    last good answer ` +
      (why.lastFrame_ms === null ? "never" : `${age(why.lastFrame_ms)} ago`),
    `  because  ${why.reason}`,
    ...(link.lastError ? [`  refused  ${link.lastError}`] : []),
    `  rules    ${why.rules.join(", ") || "none reads it"}`,
    ...(why.writers.length === 0 ? [] : [`  written  from ${why.writers.join(", ")}`]),
    ...(why.off === null ? [] : [`  off      ${why.off}`]),
    `  gate     ${gate === null ? "never asked" : JSON.stringify(gate)}`,
    `  config   ${why.configHash.slice(0, 12)}, policy ${why.policyHash.slice(0, 12)}` +
      (why.configChanged ? ", changed at the last start" : ", unchanged since the start before"),
  ].join("\n");
}

export const whyVerb: Verb = {
  name: "why",
  usage: "why TAG",
  words: 1,
  summary: "why a tag has the value and quality it has, from device to gate",
  help: clientHelp,
  options: clientOptions,
  async run(args) {
    const tag = encodeURIComponent(word(args, 0, "TAG"));
    const why = (await new Client(args).get(`/tags/${tag}/why`)) as WhyView;
    console.log(args.options["json"] ? JSON.stringify(why, null, 2) : whyText(why));
    return 0;
  },
};
