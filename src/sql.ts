/** Text → stages. Pure: it knows columns and rings, never devices or sinks. */
export type { Catalog, CatalogStream } from "./sql/bound.ts";
export { SqlFault } from "./sql/fault.ts";
