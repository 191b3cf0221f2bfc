import type { Forecast } from "../runtime.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { readTexts } from "./examine.ts";
import { table } from "./table.ts";
import { word, type Args, type Verb } from "./verb.ts";

/** The body of `/plan` and `/apply` for a file here. */
export function changeBody(args: Args): { config: string; policy?: string; name: string } {
  const name = word(args, 0, "NEW.json");
  const { config, policy } = readTexts(name);
  return { config, name, ...(policy === "" ? {} : { policy }) };
}

const mega = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MB`;
const percent = (share: number | null): string =>
  (share === null ? "?" : `${(share * 100).toFixed(1)} %`);

/** A forecast for a person; what is not touched is not spoken of. */
export function forecastText(forecast: Forecast): string {
  const { differences, links, rules, disarms, load, memory, restart } = forecast;
  if (differences.length === 0 && restart.length === 0) return "Nothing changes.";
  const parts = [
    section("Changes", differences.map(({ section: of, name, what, keys }) =>
      `${what.padEnd(8)} ${of}.${name}${keys.length > 0 ? `: ${keys.join(", ")}` : ""}`)),
    section("Links", links.map(({ name, what, gap }) => `${what.padEnd(8)} ${name}: ${gap}`)),
    section("Rules", rules.map(({ name, what, why, lost }) => `${what.padEnd(8)} ${name}: ${why}` +
      (lost === null ? "" : `; lost: ${lost}`))),
    section("Disarmed, until somebody arms again", disarms.map(({ tag, armed }) =>
      `${tag}${armed ? " (armed now)" : ""}`)),
    section("Load", load.length === 0 ? [] : table([
      ["LINK", "CONNECTIONS", "REQUESTS/S", "WIRE NOW", "WIRE THEN"],
      ...load.map(({ link, connections, requestsPerSecond, share, shareBefore }) =>
        [link, String(connections), requestsPerSecond.toFixed(1), percent(shareBefore),
          percent(share) + (share !== null && share > 1 ? " (polls will be missed)" : "")]),
    ]).split("\n")),
    section("Memory", [`${mega(memory.before)} now, ${mega(memory.after)} then, of ` +
      `${mega(memory.budget)}; the change takes ${mega(memory.taken)} of the reserve`]),
    restart.length === 0 ? "It can be applied while it runs: tagwerk apply"
      : section("Restart needed", restart),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

export const planVerb: Verb = {
  name: "plan",
  usage: "plan NEW.json",
  words: 1,
  summary: "what another configuration would do to what runs",
  help: `It is meant to stand where the running configuration stands. Exit code 1 if something is
wrong with it, or if it can only be had by a restart.${clientHelp}`,
  options: clientOptions,
  async run(args) {
    const forecast = await new Client(args).post("/plan", changeBody(args)) as Forecast;
    console.log(args.options["json"] ? JSON.stringify(forecast, null, 2) : forecastText(forecast));
    return forecast.restart.length === 0 ? 0 : 1;
  },
};
