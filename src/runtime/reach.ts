import type { Program } from "../sql.ts";
import type { RulePlan } from "./graph.ts";

/**
 * Whether what a query gives can depend on one tag, straight or through the rules that it reads.
 * It is asked for few tags, and a rule may read all of a plant: nothing of it is kept.
 */
export class Reach {
  readonly #rules: ReadonlyMap<string, RulePlan>;
  readonly #tag: string;
  readonly #device: string;
  readonly #name: string;
  /** What was found out of rules. */
  readonly #known = new Map<string, boolean>();

  constructor(rules: ReadonlyMap<string, RulePlan>, tag: string) {
    this.#rules = rules;
    this.#tag = tag;
    const dot = tag.lastIndexOf(".");
    this.#device = tag.slice(0, dot);
    this.#name = tag.slice(dot + 1);
  }

  /** Without what has the name `but` in the query's own text. */
  isOf({ newest, inputs }: Program, but?: string): boolean {
    if (this.#tag !== but && newest.some(({ tag }) => tag === this.#tag)) return true;
    return inputs.some(({ streams, columns }) => {
      const isNamed = this.#name !== but && columns.some(({ name }) => name === this.#name);
      return streams.some((stream) =>
        (isNamed && this.#isOfDevice(stream)) || this.#isThrough(stream));
    });
  }

  /** The stream is a group of the tag's device. */
  #isOfDevice(stream: string): boolean {
    return stream.lastIndexOf(".") === this.#device.length && stream.startsWith(this.#device);
  }

  #isThrough(stream: string): boolean {
    const plan = this.#rules.get(stream);
    if (plan === undefined) return false;
    const known = this.#known.get(stream) ?? this.isOf(plan.program);
    this.#known.set(stream, known);
    return known;
  }
}
