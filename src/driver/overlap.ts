import type { Link } from "../config.ts";
import type { AnyDriver, DriverTag } from "../driver.ts";

/** A write of either tag changes what the other one reads, at whatever stations they are. */
export function overlap(
  driver: AnyDriver, link: Link, tag: DriverTag, other: DriverTag,
): boolean {
  return driver.extents(tag, link).some((a) => driver.extents(other, link).some((b) =>
    a.area === b.area && a.from <= b.to && b.from <= a.to && !(a.isPart && b.isPart)));
}
