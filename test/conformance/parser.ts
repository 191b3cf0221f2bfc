import { check, isAggregate } from "../../src/sql/check.ts";
import { parse } from "../../src/sql/create.ts";
import { SqlFault } from "../../src/sql/fault.ts";
import { type Case, type Outcome, passed } from "./vectors.ts";

/** Is a text accepted, and is it an aggregate query. */
export function runParser({ sql, accept, aggregate }: Case): Outcome {
  const text = sql as string;
  try {
    const statements = parse(text);
    for (const statement of statements) if (statement.kind === "select") check(text, statement);
    if (!accept) return { kind: "failed", why: "accepted" };
    const first = statements[0];
    const folds = first?.kind === "select" && isAggregate(first);
    return aggregate === undefined || aggregate === folds ? passed
      : { kind: "failed", why: `aggregate: ${folds}` };
  } catch (thrown) {
    if (!(thrown instanceof SqlFault)) throw thrown;
    return accept ? { kind: "failed", why: `refused: ${thrown.message}` } : passed;
  }
}
