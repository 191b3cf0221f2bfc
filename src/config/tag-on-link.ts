import type { Tag } from "./model.ts";
import type { TagOnLink } from "./schema.ts";

/**
 * A tag as its link's driver is told of it. `column`: of its value in its group's ring. A face of
 * its own: by `config.ts` each thread would load the schemas of the configuration (3 MiB).
 */
export function tagOnLink(tag: Tag, station: number, column: number): TagOnLink {
  const { id, at, type, scale, offset, decimals, signal, wordOrder, access } = tag;
  return {
    id, station, at, type, scale, offset, decimals, signal, wordOrder, column,
    writable: access === "read-write",
  };
}
