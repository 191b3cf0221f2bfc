const units: Readonly<Record<string, number>> = {
  us: 1e-3, ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000,
};

/** Milliseconds of a text with units (`100ms`, `2s`, `1h30m`), or null if it is none. */
export function duration(text: string): number | null {
  const part = /(\d+(?:\.\d+)?)(us|ms|min|s|m|h|d)/g;
  if (text.length === 0 || text.replace(part, "") !== "") return null;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(part)) sum += Number(amount) * units[unit!]!;
  return sum;
}

/** The shortest text that `duration` reads back: 90000 → `1m30s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms * 1000) / 1000}ms`;
  const parts: string[] = [];
  let rest = Math.round(ms);
  for (const [unit, size] of [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000]] as const) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)}${unit}`);
    rest %= size;
  }
  if (rest > 0) parts.push(`${rest / 1000}s`);
  return parts.join("");
}
