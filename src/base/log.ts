export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogSink = (line: string) => void;

/** Lines for a person and for `grep`: time, level, area, sentence, then `key=value` pairs. */
export interface Log {
  debug(area: string, text: string, values?: Record<string, unknown>): void;
  info(area: string, text: string, values?: Record<string, unknown>): void;
  warn(area: string, text: string, values?: Record<string, unknown>): void;
  error(area: string, text: string, values?: Record<string, unknown>): void;
}

const order: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

function show(value: unknown): string {
  if (typeof value === "bigint") return `${value}`;
  return typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

/** `time()` is engine time in ms since the epoch; `sink` takes one line without its end. */
export function createLog(least: LogLevel, time: () => number, sink: LogSink): Log {
  const write = (
    level: LogLevel, area: string, text: string, values: Record<string, unknown> = {},
  ): void => {
    if (order[level] < order[least]) return;
    const pairs = Object.entries(values).map(([key, value]) => ` ${key}=${show(value)}`).join("");
    const stamp = new Date(time()).toISOString();
    sink(`${stamp} ${level.padEnd(5)} ${area}: ${text}${pairs}`);
  };
  return {
    debug: (area, text, values) => write("debug", area, text, values),
    info: (area, text, values) => write("info", area, text, values),
    warn: (area, text, values) => write("warn", area, text, values),
    error: (area, text, values) => write("error", area, text, values),
  };
}
