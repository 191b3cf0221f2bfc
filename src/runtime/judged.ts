import { limits } from "../base.ts";
import type { Link } from "../config.ts";
import type { Program } from "../sql.ts";
import type { Place, Store } from "../store.ts";
import type { Graph, GroupPlan } from "./graph.ts";
import { rulesToWrites } from "./share.ts";

type JudgedPlace = Place & { readonly link: string };

/**
 * W22: whoever judges the audit must know where each tag lay that was written, or read for it. Not
 * where the others lie: there may be hundreds of thousands, and each change of the configuration
 * would write all of them again. They go into the store some a step, as each step keeps its thread
 * and waits for the disk.
 */
export class JudgedPlaces {
  readonly #store: Store;
  #configHash = "";
  #places: readonly JudgedPlace[] = [];
  #saved = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  begin(graph: Graph): void {
    this.#configHash = graph.gateway.configHash;
    this.#places = placesOf(graph);
    this.#saved = 0;
    this.step();
  }

  /** Saves what is left of them; a disk that refuses is asked again. */
  step(): void {
    const next = this.#places.slice(this.#saved, this.#saved + limits.places_a_step_max);
    if (next.length === 0 || !this.#store.savePlaces(this.#configHash, next)) return;
    this.#saved += next.length;
  }
}

/** Those of the policy first: they are written. */
function placesOf({ gateway, rules, permits, links }: Graph): JudgedPlace[] {
  const written = new Set(Object.keys(gateway.policy));
  const writing = rulesToWrites(rules);
  const read = new Set([...rules.filter(({ rule }) => writing.has(rule.name)), ...permits]
    .flatMap(({ program }) => tagsReadBy(program))).difference(written);
  return [written, read].flatMap((names) => {
    // By devices, so that the names of all tags of a plant need not be made.
    const devices = new Set([...names].map(deviceOf));
    return links.flatMap(({ link, groups }) => groups
      .filter(({ device }) => devices.has(device))
      .flatMap((group) => placesIn(group, link, names)));
  });
}

const deviceOf = (name: string): string => name.slice(0, name.lastIndexOf("."));

/** Names of tags, and such that are none: of columns of sources and rules. */
const tagsReadBy = ({ newest, inputs }: Program): string[] =>
  [...newest.map(({ tag }) => tag), ...inputs.flatMap(({ streams, columns }) =>
    streams.flatMap((stream) => columns.map(({ name }) => `${deviceOf(stream)}.${name}`)))];

const placesIn = (
  { tags }: GroupPlan, { name: link }: Link, names: ReadonlySet<string>,
): JudgedPlace[] => tags.filter(({ id }) => names.has(id))
  .map(({ id: tag, station, at, type, wordOrder, scale, offset }) =>
    ({ tag, link, station, at, type, wordOrder, scale, offset }));
