import { limits } from "../base.ts";
import { SqlFault, type Span } from "./fault.ts";

/**
 * Counts the steps in which one query is understood, and refuses it past `query_steps_max`: whoever
 * may hand in a query cannot hold a thread with it.
 */
export class Steps {
  taken = 0;
  /** What spans are places in; a user's functions are added to it. */
  sql: string;

  constructor(sql: string) {
    this.sql = sql;
  }

  take(span: Span, count = 1): void {
    this.taken += count;
    if (this.taken > limits.query_steps_max) {
      throw new SqlFault("too-large",
        `This query takes more than ${limits.query_steps_max} steps to be understood ` +
        "(query_steps_max); two rules, the second over the first, can share it", this.sql, span);
    }
  }
}

/** More than `expression_levels_max` levels from here up. */
export function tooDeep(sql: string, span: Span): SqlFault {
  return new SqlFault("too-large",
    `This expression has more than ${limits.expression_levels_max} levels ` +
    "(expression_levels_max), with what its aliases stand for; a rule before this one can work " +
    "out a part of it", sql, span);
}
