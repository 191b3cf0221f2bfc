/**
 * Counts what the gateway of the bench `tags` publishes, in a process of its own: each value is the
 * device's clock when it was read (`modbus_peer.c`), on the machine's one monotonic clock.
 *
 *     bun tags-subscriber.ts BROKER_PORT DEVICES TAGS INTERVAL_MS SECONDS
 *
 * Prints `begin` half an interval before the first poll that counts, and at the end one JSON line.
 */
import { connectAsync } from "mqtt";
import { monotonic } from "../../src/base/os.ts";
import { peer_clock_ms } from "./modbus-peer.ts";

const [port, devices, tags, interval_ms, seconds] = process.argv.slice(2).map(Number) as
  [number, number, number, number, number];
/** Polls before those that count. */
const ahead = 10;
/** Before the first that counts a value may be so old, in the clock that begins anew. */
const before_ms = 30_000;
/** Deviations are counted by sixteenths of a millisecond, the clock's own grain. */
const bins_per_ms = 16;
const bins = new Uint32Array(1000 * bins_per_ms);
const ages = new Uint32Array(10_000);

/** What the device's clock was, in ms since the first poll that counts less half an interval. */
let origin = NaN;
const since = (clock: number): number =>
  ((clock - origin + before_ms + 2 * peer_clock_ms) % peer_clock_ms) - before_ms;
const now = (): number => since(monotonic() % peer_clock_ms);

/** By device and tag. */
const last = new Float64Array(devices * tags).fill(NaN);
const drift = new Float64Array(devices * tags);
const places = new Map<string, number>();
let messages = 0, samples = 0, fresh = 0, repeated = 0, stale = 0, missing = 0;

function take(message: Record<string, number | string | null>): void {
  const device = String(message["device"]);
  let place = places.get(device);
  if (place === undefined) places.set(device, (place = places.size));
  if (Number.isNaN(origin)) begin(message["t0"] as number);
  const arrived = now();
  const isCounted = since(message["t0"] as number) >= 0 && arrived < seconds * 1000 + interval_ms;
  if (isCounted) messages += 1;
  for (let i = 0; i < tags; i++) {
    const value = message[`t${i}`];
    if (typeof value !== "number") missing += 1;
    else count(place * tags + i, since(value), arrived);
  }
}

function begin(first: number): void {
  origin = (first + (ahead - 0.5) * interval_ms) % peer_clock_ms;
  console.log("begin");
}

function count(at: number, clock: number, arrived: number): void {
  const apart = clock - last[at]!;
  last[at] = clock;
  if (clock < 0 || clock >= seconds * 1000) return;
  samples += 1;
  const age = arrived - clock;
  const isStale = age > interval_ms;
  if (apart === 0) repeated += 1;
  else if (isStale) stale += 1;
  else fresh += 1;
  ages[Math.max(0, Math.min(ages.length - 1, Math.floor(age)))]! += 1;
  // The first that counts is nobody's successor.
  if (!(clock - apart >= 0)) return;
  drift[at]! += apart - interval_ms;
  bins[Math.min(bins.length - 1, Math.floor(Math.abs(apart - interval_ms) * bins_per_ms))]! += 1;
}

/** The upper end of the class that `share` of what was counted lies below. */
function quantile(counts: Uint32Array, share: number, per_ms: number): number {
  let left = counts.reduce((sum, n) => sum + n, 0) * share;
  let at = 0;
  while (at < counts.length - 1 && (left -= counts[at]!) > 0) at++;
  return (at + 1) / per_ms;
}

const client = await connectAsync({ host: "127.0.0.1", port });
client.on("message", (_, payload) => take(JSON.parse(payload.toString())));
await client.subscribeAsync("plant/#");
while (!(now() > seconds * 1000 + 2 * interval_ms)) await Bun.sleep(100);
const drifts = [...drift].map((ms) => Math.abs(ms) % interval_ms)
  .map((ms) => Math.min(ms, interval_ms - ms)).sort((a, b) => a - b);
console.log(JSON.stringify({
  messages, samples, fresh, repeated, stale, missing,
  expected: devices * tags * Math.round(seconds * 1000 / interval_ms),
  drift_p50: drifts[drifts.length >> 1], drift_max: drifts.at(-1),
  jitter_p50: quantile(bins, 0.5, bins_per_ms), jitter_p99: quantile(bins, 0.99, bins_per_ms),
  jitter_max: quantile(bins, 1, bins_per_ms),
  age_p50: quantile(ages, 0.5, 1), age_p99: quantile(ages, 0.99, 1),
}));
process.exit(0);
