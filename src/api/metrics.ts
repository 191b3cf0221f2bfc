import {
  turn_bounds_ms, type Health, type Runtime, type LinkView, type TableView,
} from "../runtime.ts";
import type { Route } from "./route.ts";

type Labels = Readonly<Record<string, string>>;

/** Prometheus text format 0.0.4. */
class Text {
  #lines: string[] = [];

  metric(name: string, kind: "gauge" | "counter" | "histogram", help: string): void {
    this.#lines.push(`# HELP tagwerk_${name} ${help}`, `# TYPE tagwerk_${name} ${kind}`);
  }

  value(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([key, text]) =>
      `${key}="${text.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`);
    const braces = pairs.length > 0 ? `{${pairs.join(",")}}` : "";
    this.#lines.push(`tagwerk_${name}${braces} ${value}`);
  }

  get text(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}

async function metricsText(runtime: Runtime, refused: number): Promise<string> {
  const out = new Text();
  const health = await runtime.health();
  const one = (name: string, kind: "gauge" | "counter", help: string, value: number): void => {
    out.metric(name, kind, help);
    out.value(name, {}, value);
  };
  one("up", "gauge", "1 if reading and rules run", health.status === "ok" ||
    health.status === "degraded" ? 1 : 0);
  one("uptime_seconds", "gauge", "Since the start", health.uptime_ms / 1000);
  one("rss_bytes", "gauge", "Resident memory", health.memory.rss);
  one("memory_planned_bytes", "gauge", "Sum of the memory plan", health.memory.planned);
  one("turns_total", "counter", "Turns of the main role", health.turns);
  one("turn_longest_seconds", "gauge", "Longest turn since the start", health.turn_ms_max / 1000);
  turns(out, health);
  one("writing_latched", "gauge", "1 if disarmed by the latch", health.writing.latched ? 1 : 0);
  one("armed_tags", "gauge", "Tags armed now", health.writing.armed.length);
  one("clock_steps_total", "counter", "Steps of the wall clock", health.clockSteps);
  one("api_refused_total", "counter", "Requests refused because too many were in flight", refused);
  out.metric("lost_rows_total", "counter", "Rows lost since the start, by where");
  for (const [where, rows] of Object.entries(health.lost)) {
    out.value("lost_rows_total", { where }, rows);
  }
  await links(out, runtime);
  await rules(out, runtime);
  await tables(out, runtime);
  return out.text;
}

function turns(out: Text, { turn_lengths }: Health): void {
  out.metric("turn_seconds", "histogram", "Turns by their length");
  for (const [role, lengths] of Object.entries(turn_lengths)) {
    let upTo = 0;
    lengths.forEach((count, i) => {
      upTo += count;
      const bound = turn_bounds_ms[i];
      const le = bound === undefined ? "+Inf" : String(bound / 1000);
      out.value("turn_seconds_bucket", { role, le }, upTo);
    });
    out.value("turn_seconds_count", { role }, upTo);
  }
}

/** The one of a link's counters that counts nothing: ms of its newest exchange. */
const round_trip = "roundTrip";

async function links(out: Text, runtime: Runtime): Promise<void> {
  const all = await runtime.links();
  out.metric("link_up", "gauge", "1 if the link is open");
  for (const link of all) out.value("link_up", { link: link.name }, link.state === "open" ? 1 : 0);
  const counters = new Set(all.flatMap((link) => Object.keys(link.counters)));
  for (const counter of counters) {
    if (counter === round_trip) continue;
    const name = `link_${counter.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)}_total`;
    out.metric(name, "counter", `Link: ${counter}`);
    for (const link of all) out.value(name, { link: link.name }, link.counters[counter] ?? 0);
  }
  out.metric("link_round_trip_seconds", "gauge", "Newest exchange");
  for (const { name, counters } of all) {
    out.value("link_round_trip_seconds", { link: name }, (counters[round_trip] ?? 0) / 1000);
  }
  for (const what of ["polls", "failed", "missed"] as const) {
    out.metric(`poll_${what}_total`, "counter", `Polls of the group: ${what}`);
    for (const link of all) {
      for (const poll of link.polls) {
        out.value(`poll_${what}_total`, { link: link.name, stream: poll.stream }, poll[what]);
      }
    }
  }
  stations(out, all);
}

function stations(out: Text, links: readonly LinkView[]): void {
  for (const what of ["requests", "retries", "timeouts", "garbled", "exceptions"] as const) {
    out.metric(`station_${what}_total`, "counter", `Station: ${what}`);
    for (const link of links) {
      for (const one of link.stations) {
        out.value(`station_${what}_total`,
          { link: link.name, station: String(one.station) }, one[what]);
      }
    }
  }
  out.metric("station_category", "gauge", "1: how the last exchange went, by NE 107");
  for (const link of links) {
    for (const { station, category } of link.stations) {
      if (category === null) continue;
      out.value("station_category", { link: link.name, station: String(station), category }, 1);
    }
  }
  out.metric("station_round_trip_seconds", "gauge", "Median and 99th percentile since the start");
  for (const link of links) {
    for (const { station, roundTrip_ms } of link.stations) {
      const { p50, p99 } = roundTrip_ms;
      for (const [quantile, ms] of [["0.5", p50], ["0.99", p99]] as const) {
        if (ms === null) continue;
        out.value("station_round_trip_seconds",
          { link: link.name, station: String(station), quantile }, ms / 1000);
      }
    }
  }
}

async function rules(out: Text, runtime: Runtime): Promise<void> {
  const all = await runtime.rules();
  const counts =
    ["rows_in", "rows_out", "errors", "lost", "evicted", "late", "early", "failures"] as const;
  for (const what of counts) {
    out.metric(`rule_${what}_total`, "counter", `Rule: ${what}`);
    for (const rule of all) out.value(`rule_${what}_total`, { rule: rule.name }, rule[what]);
  }
}

/** A table that two roles use has two caches, whose counters add up. */
async function tables(out: Text, runtime: Runtime): Promise<void> {
  const all = await runtime.tables();
  const names = [...new Set(all.map((table) => table.name))];
  const sum = (name: string, of: (table: TableView) => number): number =>
    all.reduce((n, table) => n + (table.name === name ? of(table) : 0), 0);
  out.metric("table_up", "gauge", "1 if the table has answered its last question");
  for (const name of names) {
    const down = sum(name, (t) => Number(t.state === "down"));
    out.value("table_up", { table: name }, down > 0 ? 0 : 1);
  }
  out.metric("table_known_rows", "gauge", "Rows of the table that are kept");
  for (const name of names) {
    out.value("table_known_rows", { table: name }, sum(name, (t) => t.known));
  }
  for (const what of ["hits", "asked", "questions", "failed", "stale", "unanswered", "evicted"] as
    const) {
    out.metric(`table_${what}_total`, "counter", `Lookup table: ${what}`);
    for (const name of names) {
      out.value(`table_${what}_total`, { table: name }, sum(name, (t) => t.counters[what]));
    }
  }
}

export const metricsRoutes: readonly Route[] = [
  {
    method: "GET", path: "/metrics", access: "read",
    summary: "Counters for Prometheus",
    answers: "Prometheus text format",
    async handle({ runtime, pace }) {
      return { text: await metricsText(runtime, pace.refused), type: "text/plain; version=0.0.4" };
    },
  },
];
