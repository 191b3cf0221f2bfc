import { BAD, GOOD, UNCERTAIN } from "./cell.ts";

/** What a quality asks of people, as devices themselves tell it (NAMUR NE 107). */
export type Category =
  "good" | "failure" | "function-check" | "out-of-specification" | "maintenance-required";

const categories = new Map<number, Category>([
  [GOOD, "good"],
  ...[BAD.source, BAD.disconnected, BAD.timeout, BAD.garbled, BAD.exception, BAD.address, BAD.old,
    BAD.paused, BAD.underrange, BAD.overrange].map((state) => [state, "failure"] as const),
  ...[BAD.disabled, BAD["not-simulated"], UNCERTAIN.forced, UNCERTAIN.substituted]
    .map((state) => [state, "function-check"] as const),
  ...[BAD.range, UNCERTAIN.source, UNCERTAIN.saturated]
    .map((state) => [state, "out-of-specification"] as const),
  [UNCERTAIN.maintenance, "maintenance-required"],
]);

/** The category of a state; null = it tells of something else than a device. */
export const categoryOf = (state: number): Category | null => categories.get(state) ?? null;
