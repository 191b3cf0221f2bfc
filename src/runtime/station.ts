import { DONE, type Session } from "../driver.ts";
import { BAD, categoryOf, stateName } from "../ring.ts";
import type { LinkStationView, LinkView, StationView } from "./view.ts";

/** Failures in a row before a station is paused, or (TCP) a silent link is opened anew. */
export const failures_max = 3;
const pause_ms_min = 1000;
const pause_ms_max = 10_000;
/** The longest where more than this share of a link's time would go into probes: then they wait. */
const slow_pause_ms_max = 60_000;
export const probes_share = 0.04;

/** Round trips are counted by classes of 1/8 of an octave, from 1/64 ms on: 9 % apart. */
const classes_per_octave = 8;
const least_ms = 1 / 64;
const classes = 20 * classes_per_octave;

/** What is known of one station: after repeated silence it is left alone and probed. */
export class Station {
  failures = 0;
  /** Why the last exchange failed (a `BAD.*` state), 0 = it did not. */
  failure = 0;
  /** The code of a last exchange that was refused, 0 = it was not. */
  exception = 0;
  /** What was told of it in the log: a failure that lasts, 0 = it answers. */
  told = 0;
  /** Monotonic ms until which nothing is asked of it. */
  pausedUntil = 0;
  /** Monotonic ms of the last good answer, −1 = never. */
  lastGood = -1;
  #requests = 0;
  #retries = 0;
  #timeouts = 0;
  #garbled = 0;
  #exceptions = 0;
  /** Answers by their round trip. */
  readonly #trips = new Uint32Array(classes);

  /** An exchange ended; true if the station was silent, or not to be understood. */
  judge({ result, exception, counters }: Session, now: number): boolean {
    if (result === BAD.disconnected) return false;
    this.#requests += 1;
    if (this.failures > 0) this.#retries += 1;
    this.exception = exception;
    if (result !== BAD.timeout && result !== BAD.garbled) {
      if (result === DONE) this.lastGood = now;
      else this.#exceptions += 1;
      this.#count(counters.roundTrip);
      this.failures = 0;
      this.failure = result === DONE ? 0 : result;
      // A refused address is a tag's trouble, not the station's.
      this.told = result === BAD.exception ? result : 0;
      this.pausedUntil = 0;
      return false;
    }
    if (result === BAD.timeout) this.#timeouts += 1;
    else this.#garbled += 1;
    this.failures += 1;
    this.failure = result;
    if (this.failures >= failures_max) this.told = result;
    return true;
  }

  /** It was silent: `probe_ms` is how long it is left alone at last, if that is long. */
  pause(probe_ms: number, now: number): void {
    if (this.failures < failures_max) return;
    const doubled = pause_ms_min * 2 ** Math.min(6, this.failures - failures_max);
    const longest = Math.min(slow_pause_ms_max, Math.max(pause_ms_max, probe_ms));
    this.pausedUntil = now + Math.min(longest, doubled);
  }

  view(station: number, advice: string, now: number): StationView {
    return {
      station, failures: this.failures, paused: this.pausedUntil > now,
      reason: stateName(this.failure),
      category: this.#requests === 0 && this.lastGood < 0 ? null : categoryOf(this.failure),
      exception: this.exception, advice,
      lastGood_ms: this.lastGood < 0 ? null : now - this.lastGood,
      requests: this.#requests, retries: this.#retries, timeouts: this.#timeouts,
      garbled: this.#garbled, exceptions: this.#exceptions,
      roundTrip_ms: { p50: this.#percentile(0.5), p99: this.#percentile(0.99) },
    };
  }

  #count(roundTrip_ms: number): void {
    const at = Math.floor(classes_per_octave * Math.log2(Math.max(1, roundTrip_ms / least_ms)));
    this.#trips[Math.min(classes - 1, at)]! += 1;
  }

  /** The upper end of the class that it lies in; null = nothing was answered. */
  #percentile(share: number): number | null {
    let left = 0;
    for (const count of this.#trips) left += count;
    if (left === 0) return null;
    left *= share;
    let at = 0;
    while (at < classes - 1 && (left -= this.#trips[at]!) > 0) at++;
    return least_ms * 2 ** ((at + 1) / classes_per_octave);
  }
}

/** Those of all links of whose requests the largest share went wrong, the worst first. */
export function worstStations(links: readonly LinkView[], most: number): LinkStationView[] {
  const wrong = ({ requests, timeouts, garbled, exceptions }: StationView): number =>
    (timeouts + garbled + exceptions) / Math.max(1, requests);
  return links.flatMap(({ name, stations }) => stations.map((one) => ({ link: name, ...one })))
    .filter((one) => wrong(one) > 0).sort((a, b) => wrong(b) - wrong(a)).slice(0, most);
}

