import type { Clock } from "../base.ts";
import type { Tag } from "../config.ts";
import { DONE, overlap, type AnyDriver, type Broadcast } from "../driver.ts";
import { GOOD, isNumberType, stateName, type Written } from "../ring.ts";
import type { LinkPlan } from "./graph.ts";
import { raw_bytes_max, type LinkPort } from "./port.ts";
import type { BroadcastView } from "./view.ts";

/** So long a person waits for what all stations read now, some of which may be silent (ms). */
const reads_ms_max = 8000;

/** What a person looks at before arming a tag that nobody answers for (W2). */
export async function lookAround(
  broadcast: Broadcast, tag: Tag, encoded: { readonly bytes: Uint8Array; readonly means: Written },
  plan: LinkPlan, port: LinkPort, clock: Clock,
): Promise<BroadcastView> {
  const others = plan.groups.filter(({ tags }) => !tags.some((one) => broadcast.is(one)));
  const devices = new Map<number, Set<string>>();
  for (const { station, device } of others) {
    devices.set(station, (devices.get(station) ?? new Set()).add(device));
  }
  const { driver } = plan;
  const until = clock.now() + reads_ms_max;
  const reaches = [];
  for (const one of others.flatMap(({ tags }) => tags)) {
    if (!overlap(driver, plan.link, tag, one)) continue;
    const now = clock.now() >= until ? not_read : await readNow(one, driver, port, until);
    reaches.push({ tag: one.id, station: one.station, eu: one.eu, ...now });
  }
  return {
    at: tag.at, type: tag.type, means: encoded.means, reaches,
    frame: broadcast.frame(tag, encoded.bytes, plan.link).toHex(),
    stations: [...devices].map(([station, names]) => ({ station, devices: [...names] })),
  };
}

const not_read = { value: null, quality: "not read" };

const isNumber = ({ type }: Tag): boolean =>
  type === "bool" || type === "time" || isNumberType(type);

/** Past every poll. What is no number has no place in an answer of the gate: it is not shown. */
function readNow(
  tag: Tag, driver: AnyDriver, port: LinkPort, until: number,
): Promise<Pick<BroadcastView["reaches"][number], "value" | "quality">> {
  const raw = new Uint8Array(driver.rawBytes(tag));
  return new Promise((resolve) => {
    const isAsked = isNumber(tag) && raw.length <= raw_bytes_max &&
      port.read(tag, raw, until, (result) =>
        resolve(result === DONE ? { value: driver.decode(tag, raw), quality: stateName(GOOD) }
          : { value: null, quality: stateName(result) }));
    if (!isAsked) resolve(not_read);
  });
}
