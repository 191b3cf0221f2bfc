/** What the terminal shows of one moment. */
export interface View {
  readonly elapsed: number;
  readonly seconds: number;
  readonly temperature: number;
  readonly target: number;
  readonly open: boolean;
  readonly armed: boolean;
  readonly valve: number;
  readonly fast: Row | null;
  readonly meters: readonly [name: string, row: Row | null][];
  readonly links: readonly LinkOf[] | null;
  readonly rules: readonly RuleOf[] | null;
  readonly lastAudit: Readonly<Record<string, unknown>> | null;
  readonly messages: number;
  readonly newest: ReadonlyMap<string, string>;
  readonly writes: number;
  readonly memory: { readonly resident: number; readonly anonymous: number };
}

interface Row {
  readonly values: Readonly<Record<string, number | string | boolean | null>>;
  readonly quality: Readonly<Record<string, string>>;
}
interface LinkOf {
  readonly name: string;
  readonly state: string;
  readonly polls: readonly { readonly polls: number; readonly missed: number }[];
}
interface RuleOf {
  readonly name: string;
  readonly state: string;
  readonly rows_out: number;
}

interface Counts {
  readonly at: number;
  readonly polls: number;
  readonly rows: number;
  readonly messages: number;
  readonly writes: number;
}

const bars = "▁▂▃▄▅▆▇█";
const history_max = 60;
/** The bars show the target ± this many degrees. */
const history_span_C = 2;

/** Draws in place on a terminal, and a line a second elsewhere. */
export class Screen {
  readonly #further: readonly string[];
  readonly #isTerminal = process.stdout.isTTY === true;
  #height = 0;
  #history = "";
  #before: Counts | null = null;
  #lineAt = 0;

  constructor(further: readonly string[]) {
    this.#further = further;
    if (!this.#isTerminal) console.log(`look further:\n  ${further.join("\n  ")}`);
  }

  draw(view: View): void {
    const rates = this.#rates(view);
    if (!this.#isTerminal) {
      if (view.elapsed < this.#lineAt) return;
      this.#lineAt = Math.floor(view.elapsed) + 1;
      console.log(line(view, rates));
      return;
    }
    this.#history = (this.#history + bar(view)).slice(-history_max);
    const lines = this.#lines(view, rates);
    const up = this.#height > 0 ? `\x1b[${this.#height}A` : "";
    // Each line is cleared to its end, so that nothing of a longer one stays.
    process.stdout.write(up + lines.map((l) => `${fit(l)}\x1b[K\n`).join(""));
    this.#height = lines.length;
  }

  end(): void {
    if (this.#isTerminal) console.log();
  }

  #rates(view: View): string {
    const polls = sum((view.links ?? []).flatMap((l) => l.polls.map((p) => p.polls)));
    const rows = sum((view.rules ?? []).map((r) => r.rows_out));
    const now = { at: view.elapsed, polls, rows, messages: view.messages, writes: view.writes };
    const before = this.#before ?? now;
    this.#before = now;
    const span = now.at - before.at;
    const rate = (key: "polls" | "rows" | "messages" | "writes"): string =>
      (span > 0 ? (now[key] - before[key]) / span : 0).toFixed(1);
    return `${rate("polls")} polls/s  ${rate("rows")} rule rows/s  ` +
      `${rate("messages")} MQTT/s  ${rate("writes")} writes/s`;
  }

  #lines(view: View, rates: string): string[] {
    const { elapsed, seconds, fast } = view;
    const rules = (view.rules ?? []).map((r) => `${r.name} ${r.state}, ${r.rows_out} rows`);
    const of = seconds === Infinity ? "" : ` of ${seconds}`;
    return [
      `\x1b[1mTagwerk demo\x1b[0m   ${elapsed.toFixed(0)}${of} s   ` +
        `${view.armed ? "\x1b[33marmed\x1b[0m" : "\x1b[31mnot armed\x1b[0m"}   Ctrl-C ends it`,
      "",
      `plant     ${plantText(view)}`,
      `          ${this.#history}`,
      `read      ${rowText(fast, ["temperature", "target", "ambient", "pressure", "door_closed"])}`,
      ...view.meters.map(([name, row]) =>
        `${name.padEnd(10)}${rowText(row, ["power", "voltage", "energy"])}`),
      ...[...view.newest].map(([topic, text]) => `MQTT      ${topic} ${text}`),
      `links     ${(view.links ?? []).map((l) => `${l.name} ${l.state}`).join("  ")}`,
      `rules     ${rules.join("  ")}`,
      `writes    ${view.writes} frames at the plant; last decision: ${auditText(view.lastAudit)}`,
      `rates     ${rates}`,
      `memory    ${memoryText(view)}`,
      "",
      "look further, in another terminal:",
      ...this.#further.map((l) => `  ${l}`),
    ];
  }
}

function line(view: View, rates: string): string {
  return `${view.elapsed.toFixed(0).padStart(4)} s  ${plantText(view)}  ` +
    `${view.armed ? "armed" : "not armed"}  ${view.writes} writes  ${rates}  ${memoryText(view)}`;
}

function plantText(view: View): string {
  return `${view.temperature.toFixed(2)} °C (target ${view.target})  ` +
    `valve ${view.valve.toFixed(1)} %  door ${view.open ? "OPEN" : "closed"}`;
}

function memoryText({ memory }: View): string {
  return `${memory.resident.toFixed(0)} MB resident, ${memory.anonymous.toFixed(0)} MB of its own`;
}

function rowText(row: Row | null, names: readonly string[]): string {
  if (row === null) return "nothing yet";
  return names.map((name) => {
    const value = row.values[name];
    const shown = typeof value === "number" ? value.toFixed(2) : String(value);
    const quality = row.quality[name];
    return `${name} ${quality === undefined ? shown : quality}`;
  }).join("  ");
}

function auditText(row: View["lastAudit"]): string {
  if (row === null) return "none";
  return [row["outcome"] ?? row["decision"], row["code"], row["value"]]
    .filter((part) => part !== null && part !== undefined && part !== "").join(" ");
}

function bar({ temperature, target }: View): string {
  const part = (temperature - target + history_span_C) / (2 * history_span_C);
  const at = Math.floor(part * bars.length);
  return bars[Math.max(0, Math.min(bars.length - 1, at))]!;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** No longer than the terminal is wide; escape sequences take no room. */
function fit(text: string): string {
  const width = process.stdout.columns ?? 100;
  const plain = text.replace(/\x1b\[\d*m/g, "");
  return plain.length <= width || text !== plain ? text : `${text.slice(0, width - 1)}…`;
}
