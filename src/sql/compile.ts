import { bind, bindConditions } from "./bind.ts";
import type { Catalog } from "./bound.ts";
import { plan, type PlanOptions } from "./plan.ts";
import type { Program } from "./program.ts";

/** A query as stages. Throws SqlFault. */
export function compile(
  sql: string, catalog: Catalog, options: Partial<PlanOptions> = {},
): Program {
  const { lineage = false, strict = false, eventTime = null, emptyWindows = false,
    sendError = false } = options;
  return plan(bind(sql, catalog), catalog,
    { lineage, strict, eventTime, emptyWindows, sendError });
}

/**
 * Conditions over newest values alone, as one stage that gives a row each time it is run: a bool
 * column `c0`, `c1` … for each, and `$oldest`. Throws SqlFault.
 */
export function compileConditions(conditions: readonly string[], catalog: Catalog): Program {
  return plan(bindConditions(conditions, catalog), catalog,
    { lineage: true, strict: true, eventTime: null, emptyWindows: false,
      sendError: false });
}
