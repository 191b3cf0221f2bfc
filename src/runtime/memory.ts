import type { Graph } from "./graph.ts";

const mega = (bytes: number): string => (bytes / 2 ** 20).toFixed(2).padStart(9);

/** The user's functions, then the memory plan, and whether that fits the profile's budget. */
export function planText(graph: Graph): { text: string; bytes: number; fits: boolean } {
  const { memory } = graph;
  const bytes = memory.reduce((sum, line) => sum + line.bytes, 0);
  const budget = graph.gateway.profile.memoryMB * 2 ** 20;
  const width = Math.max(...memory.map((line) => line.owner.length));
  const lines = [
    ...graph.gateway.functions.map(({ name, parameters, sql }) =>
      `function ${name}(${parameters.join(", ")}) = ${sql}`),
    ...memory.map((line) =>
      `${mega(line.bytes)} MB  ${line.owner.padEnd(width)}  ${line.what}`),
  ];
  const fits = bytes <= budget;
  const verdict = fits
    ? "fits" : "does not fit: take fewer tags, longer intervals or a larger profile";
  lines.push(`${mega(bytes)} MB  of ${graph.gateway.profile.memoryMB} MB ` +
    `(profile ${graph.gateway.profile.name}): ${verdict}`);
  return { text: lines.join("\n"), bytes, fits };
}
