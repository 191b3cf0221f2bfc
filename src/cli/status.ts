import type { Health, LinkStationView, LinkView } from "../runtime.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { age, table } from "./table.ts";
import type { Verb } from "./verb.ts";

interface Status {
  readonly health: Health;
  readonly links: readonly LinkView[];
  readonly stations: readonly LinkStationView[];
}

const ms = (value: number | null): string | null => (value === null ? null : value.toPrecision(2));

function statusText({ health, links, stations }: Status): string {
  return [
    health.status + health.troubles.map((trouble) => `\n  ${trouble}`).join(""),
    table([["LINK", "TYPE", "STATE", "SINCE", ""], ...links.map((link) =>
      [link.name, link.type, link.state, age(link.since_ms), link.reason])]),
    ...(stations.length === 0 ? [] : [table([
      ["LINK", "STATION", "CATEGORY", "REQUESTS", "RETRIES", "TIMEOUTS", "GARBLED",
        "EXCEPTIONS", "P50 MS", "P99 MS", "LAST GOOD", ""],
      ...stations.map((one) => [one.link, one.station, one.category, one.requests, one.retries,
        one.timeouts, one.garbled, one.exceptions, ms(one.roundTrip_ms.p50),
        ms(one.roundTrip_ms.p99), age(one.lastGood_ms), one.advice])])]),
  ].join("\n\n");
}

export const statusVerb: Verb = {
  name: "status",
  usage: "status",
  words: 0,
  summary: "is it well; the links, and the ten stations that fail most",
  help: clientHelp,
  options: clientOptions,
  async run(args) {
    const client = new Client(args);
    // One after the other: the API answers one question at a time.
    const health = (await client.get("/health")) as Health;
    const links = (await client.get("/links")) as LinkView[];
    const stations = (await client.get("/stations")) as LinkStationView[];
    const status: Status = { health, links, stations };
    console.log(args.options["json"] ? JSON.stringify(status, null, 2) : statusText(status));
    return 0;
  },
};
