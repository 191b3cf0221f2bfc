import { systemClock } from "../base.ts";
import type { DeviceView, Health, ProvedView, TagView } from "../runtime.ts";
import { Client } from "./client.ts";
import { show } from "./table.ts";
import { text, word, type Args, type Verb } from "./verb.ts";

/** All that stands in the report, as the running Tagwerk tells it. */
interface FatReport {
  readonly health: Health;
  readonly devices: readonly DeviceView[];
  readonly proofs: readonly ProvedView[];
  /** ms since the epoch. */
  readonly time: number;
}

const escaped: Readonly<Record<string, string>> =
  { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const html = (text: string): string => text.replace(/[&<>"']/g, (sign) => escaped[sign]!);
const when = (time: number | null): string =>
  time === null ? "never" : new Date(time).toISOString();
const cells = (kind: "td" | "th", all: readonly string[]): string =>
  `<tr>${all.map((cell) => `<${kind}>${html(cell)}</${kind}>`).join("")}</tr>`;

function provedText(tag: TagView, proof: ProvedView | undefined): string {
  if (tag.access === "read") return "";
  if (proof === undefined) return "not proved";
  const { who, time, outcome, code, present } = proof;
  const where = present === true ? "" : present === null ? "; its link is not open now"
    : "; the tag lies elsewhere since then: prove it again";
  return `${outcome}${code === null ? "" : ` (${code})`} by ${who}, ${when(time)}${where}`;
}

function isProved(proof: ProvedView | undefined): boolean {
  return proof?.outcome === "verified" && proof.present === true;
}

function deviceHtml(device: DeviceView, proofs: ReadonlyMap<string, ProvedView>): string {
  const rows = device.tags.map((tag) => {
    const proof = proofs.get(tag.id);
    const well = tag.quality === "good" && (tag.access === "read" || isProved(proof));
    return cells("td", [tag.id, tag.at, tag.type, `${show(tag.value)} ${tag.eu ?? ""}`.trimEnd(),
      tag.quality, when(tag.time), provedText(tag, proof)])
      .replace("<tr>", well ? "<tr>" : '<tr class="open">');
  });
  return [`<h2>${html(device.name)}</h2>`,
    `<p>link ${html(device.link)}, station ${device.station}, ${html(device.state)}</p>`,
    "<table>", cells("th", ["Tag", "At", "Type", "Value", "Quality", "Read", "Proved"]), ...rows,
    "</table>"].join("\n");
}

/** One page without anything beside it: it is kept, printed and signed. */
function fatHtml({ health, devices, proofs, time }: FatReport): string {
  const byTag = new Map(proofs.map((proof) => [proof.tag, proof]));
  const tags = devices.flatMap((device) => device.tags);
  const good = tags.filter(({ quality }) => quality === "good").length;
  const writable = tags.filter(({ access }) => access === "read-write");
  const proved = writable.filter(({ id }) => isProved(byTag.get(id))).length;
  const title = `Acceptance report: ${health.gateway}`;
  return `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>${html(title)}</title>
<style>
body { font: 14px/1.4 sans-serif; margin: 2em; }
table { border-collapse: collapse; width: 100%; }
td, th { border: 1px solid #999; padding: 2px 6px; text-align: left; vertical-align: top; }
tr.open { background: #fbe3c0; }
.simulated { border: 3px solid #b00; padding: 6px; font-weight: bold; }
h2 { page-break-after: avoid; margin-bottom: 0; }
p.sign { margin-top: 4em; }
</style>
<h1>${html(title)}</h1>
${health.simulated ? '<p class="simulated">Simulated plant: nothing here was read from or ' +
    "proved at the machine.</p>" : ""}
<table>
${cells("td", ["Made", when(time)])}
${cells("td", ["Tagwerk", `${health.version}, profile ${health.profile}`])}
${cells("td", ["Configuration, policy", `${health.configHash}, ${health.policyHash}`])}
${cells("td", ["Read", `${good} of ${tags.length} tags are good`])}
${cells("td", ["Proved by writing", `${proved} of ${writable.length} tags with write access`])}
${cells("td", ["Open", health.troubles.join("; ") || "nothing"])}
</table>
${devices.map((device) => deviceHtml(device, byTag)).join("\n")}
<p class="sign">Date, name, signature: ______________________________________________</p>
</html>
`;
}

export const fatReportVerb: Verb = {
  name: "fat-report",
  usage: "fat-report GATEWAY.json > fat.html",
  words: 1,
  summary: "each tag as it was read and proved, as one HTML page",
  help: `For an acceptance test at the factory or on site: value, quality and time of every tag, and
who proved which by writing (tagwerk prove), when, and how that ended. What is open is marked.
      --store DIR     the store of the running Tagwerk, if it is not the configuration's`,
  options: { store: { type: "string" } },
  async run(args) {
    const client = new Client(configured(args));
    const [health, devices, proofs] = await Promise.all(
      ["/health", "/devices", "/proofs"].map((path) => client.get(path)));
    process.stdout.write(fatHtml({
      health: health as Health, devices: devices as DeviceView[],
      proofs: proofs as ProvedView[], time: systemClock().time(),
    }));
    return 0;
  },
};

/** The configuration is its word here, as in `check` and `run`. */
function configured(args: Args): Args {
  const store = text(args, "store");
  return { words: [], options: { config: word(args, 0, "GATEWAY.json"),
    ...(store === null ? {} : { store }) } };
}
