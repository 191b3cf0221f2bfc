import type { ShownValue } from "../runtime.ts";

/** Columns under each other, two blanks apart; numbers to the right. */
export function table(rows: readonly (readonly (string | number | null)[])[]): string {
  // What came from outside must not steer the terminal.
  const shown = rows.map((row) => row.map((cell) =>
    (cell === null ? "-" : String(cell).replace(/[\x00-\x1f\x7f-\x9f]/g, "·"))));
  const widths = (shown[0] ?? []).map((_, i) => Math.max(...shown.map((row) => row[i]!.length)));
  const right = (rows[1] ?? []).map((cell) => typeof cell === "number");
  return shown.map((row) => row.map((cell, i) =>
    right[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ").trimEnd())
      .join("\n");
}

/** `12 ms`, `3.4 s`, `2 h`: an age as a person says it. */
export function age(ms: number | null): string {
  if (ms === null) return "never";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

/** Numbers with at most six digits after the point, anything else as it is. */
export function show(value: ShownValue): string {
  if (value === null) return "-";
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value === "object") return JSON.stringify(value);
  return typeof value === "number" ? String(Number(value.toFixed(6))) : String(value);
}
