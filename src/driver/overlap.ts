import type { AnyDriver, DriverTag } from "../driver.ts";

/** A write of either tag changes what the other one reads, at whatever stations they are. */
export function overlap(driver: AnyDriver, tag: DriverTag, other: DriverTag): boolean {
  const [a, b] = [driver.extent(tag), driver.extent(other)];
  return a.area === b.area && a.from <= b.to && b.from <= a.to;
}
