import { BAD, GOOD, UNCERTAIN } from "../../ring.ts";

/** What a machine can say of its value, and the state that a row has for it. */
const states = {
  "good": GOOD, "uncertain": UNCERTAIN.source,
  "maintenance": UNCERTAIN.maintenance, "bad": BAD.source, "underrange": BAD.underrange,
  "overrange": BAD.overrange,
} as const;

export type Quality = keyof typeof states;
export const qualities = Object.keys(states) as [Quality, ...Quality[]];
export const stateOfQuality = (quality: Quality): number => states[quality];
