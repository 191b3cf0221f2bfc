import { nearest } from "./nearest.ts";
import { remember } from "./remember.ts";

/** A time zone as the engine knows it, and the writer of its short name. */
interface Zone {
  readonly id: string;
  readonly names: Intl.DateTimeFormat;
}

const zoneOf = remember((name): Zone | null => {
  try {
    const names = new Intl.DateTimeFormat("en-US", {
      timeZoneName: "short", ...(name === "Local" ? {} : { timeZone: name }),
    });
    return { id: names.resolvedOptions().timeZone, names };
  } catch (thrown) {
    if (thrown instanceof RangeError) return null;
    throw thrown;
  }
});

/** What is wrong with the name of a zone, or null. */
export function zoneFault(name: string | number): string | null {
  if (zoneOf(String(name)) !== null) return null;
  const close = nearest(String(name), Intl.supportedValuesOf("timeZone"));
  return "There is no such time zone: one is named like 'Europe/Berlin', 'UTC' or '+05:30'" +
    (close === null ? "" : `; did you mean ${close}?`);
}

/** Milliseconds by which clocks there are ahead of UTC at a time; undefined: no such zone. */
export function offsetOf(time: number, name: string): number | undefined {
  const zone = zoneOf(name);
  if (zone === null) return undefined;
  if (!(Math.abs(time) <= time_max)) return NaN;
  const instant = Temporal.Instant.fromEpochMilliseconds(Math.floor(time));
  return instant.toZonedDateTimeISO(zone.id).offsetNanoseconds / 1e6;
}

/** The largest time that is a date. */
const time_max = 8.64e15;

/** `CET`, `GMT+8`, … */
export function shortName(time: number, name: string): string {
  const parts = zoneOf(name)!.names.formatToParts(time);
  return parts.find((part) => part.type === "timeZoneName")!.value;
}

/** The time at which clocks of a zone show `local`; NaN where there is none of either. */
export function timeIn(local: number, name: string): number {
  if (name === "UTC") return local;
  const ahead = offsetOf(local, name) ?? NaN;
  // The clocks may have been changed in between.
  return local - (offsetOf(local - ahead, name) ?? NaN);
}
