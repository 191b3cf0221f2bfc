import { bindConditions } from "./bind.ts";
import type { Bound, BoundBinary, BoundCase, Catalog } from "./bound.ts";
import { operands } from "./rewrite/tree.ts";

/**
 * W12: whether a condition on newest values can be TRUE in a way that looks at no live tag: by
 * constants or the clock alone. Throws SqlFault.
 */
export function holdsBlindly(
  condition: string, catalog: Catalog, isLive: (tag: string) => boolean,
): boolean {
  const { newest, select } = bindConditions([condition], catalog);
  const blind = new Blindness((index) => !isLive(newest[index]!.tag));
  return select.some(({ expr }) => blind.canBe(expr, true));
}

/** What a value can be: null = anything. */
type Wanted = boolean | null;

/**
 * What an operand decides of AND, OR and IN, it decides by itself; CASE looks at all conditions on
 * its way; everything else looks at all that it has.
 */
class Blindness {
  readonly #isBlindTag: (index: number) => boolean;
  /** The tree is a DAG, whose paths may be beyond number. */
  readonly #known = new Map<Bound, Map<Wanted, boolean>>();

  constructor(isBlindTag: (index: number) => boolean) {
    this.#isBlindTag = isBlindTag;
  }

  /** Whether a node can be what is wanted by blind leaves alone. */
  canBe(node: Bound, wanted: Wanted): boolean {
    const known = this.#known.get(node) ?? new Map<Wanted, boolean>();
    this.#known.set(node, known);
    const found = known.get(wanted) ?? this.#look(node, wanted);
    known.set(wanted, found);
    return found;
  }

  #look(node: Bound, wanted: Wanted): boolean {
    switch (node.kind) {
      case "newest": return this.#isBlindTag(node.index);
      case "literal": return wanted === null || node.value === wanted;
      case "unary": return this.canBe(node.operand,
        node.op === "not" && wanted !== null ? !wanted : null);
      case "binary": return node.op === "and" || node.op === "or" ? this.#junction(node, wanted)
        : this.#all(operands(node), null);
      case "in": return this.canBe(node.operand, null) && (wanted === node.negated
        ? this.#all(node.items, null) : this.#some(node.items, null));
      case "case": return this.#case(node, wanted);
      case "coalesce": return this.#some(node.args, wanted);
      default: return this.#all(operands(node), null);
    }
  }

  #all(nodes: readonly Bound[], wanted: Wanted): boolean {
    return nodes.every((node) => this.canBe(node, wanted));
  }

  #some(nodes: readonly Bound[], wanted: Wanted): boolean {
    return nodes.some((node) => this.canBe(node, wanted));
  }

  #junction({ op, left, right }: BoundBinary, wanted: Wanted): boolean {
    const decides = op === "or";
    return (wanted !== !decides && this.#some([left, right], decides)) ||
      (wanted !== decides && this.#all([left, right], !decides));
  }

  #case({ whens, otherwise }: BoundCase, wanted: Wanted): boolean {
    for (const { when, then } of whens) {
      if (this.canBe(when, true) && this.canBe(then, wanted)) return true;
      if (!this.canBe(when, false)) return false;
    }
    return this.canBe(otherwise, wanted);
  }
}
