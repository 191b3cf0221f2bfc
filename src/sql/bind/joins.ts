import type { Join } from "../ast.ts";
import type { Bound, BoundJoin, CatalogTable } from "../bound.ts";
import { SqlFault, type Span } from "../fault.ts";
import { conjunction, conjuncts } from "../rewrite/conjuncts.ts";
import { inputsOf } from "../rewrite/tree.ts";

/** Makes the fault that is thrown. */
type Refuse = (code: string, sentence: string, span: Span) => SqlFault;

/** How input `input` is joined; `condition` is what stands after ON. */
export function bindJoin(
  { kind, on, source, span, tolerance_ms }: Join, input: number, condition: Bound | null,
  table: CatalogTable | null, fault: Refuse,
): BoundJoin {
  const tests = conjuncts(condition);
  if (tolerance_ms !== null) {
    if (table !== null) {
      throw fault("join", `${source.name} is a table: JOIN asks it, without ASOF`, span);
    }
    const asof = { tolerance_ms, keys: tests.map((test) => pairIn(test, input, fault)) };
    return { kind, input, on: null, key: null, scan: false, asof, span };
  }
  const { key = null } = table ?? {};
  if (key === null) {
    return { kind, input, on: condition, key, scan: table !== null, asof: null, span };
  }
  const keyed = tests.find((test) => keyIn(test, input, key) !== null);
  if (keyed === undefined) {
    throw fault("lookup-key", `${source.name} is asked by its key: ON ` +
      `${table!.name}.${key} = …, of the key's own type and of what stands before it`,
      on?.span ?? span);
  }
  return { kind, input, span, scan: false, asof: null, key: keyIn(keyed, input, key),
    on: conjunction(tests.filter((test) => test !== keyed)) };
}

/** A condition of ASOF: something of the inputs before it equals something of its own. */
function pairIn(
  test: Bound, input: number, fault: Refuse,
): { left: Bound; right: Bound } {
  const own = (node: Bound): boolean => {
    const read = inputsOf(node);
    return read.length > 0 && read.every((i) => i === input);
  };
  const before = (node: Bound): boolean => inputsOf(node).every((i) => i < input);
  if (test.kind === "binary" && test.op === "=") {
    if (own(test.right) && before(test.left)) return { left: test.left, right: test.right };
    if (own(test.left) && before(test.right)) return { left: test.right, right: test.left };
  }
  throw fault("join", "ON of an ASOF JOIN says which keys are equal: a = b AND …, each " +
    "with one side of the stream that is joined", test.span);
}

/** What a table is asked for, if a condition says that its key equals it. */
function keyIn(test: Bound, input: number, key: string): Bound | null {
  if (test.kind !== "binary" || test.op !== "=") return null;
  const isKey = (node: Bound): boolean =>
    node.kind === "column" && node.input === input && node.name === key;
  const [column, value] = isKey(test.left) ? [test.left, test.right] : [test.right, test.left];
  return isKey(column) && inputsOf(value).every((i) => i < input) ? value : null;
}
