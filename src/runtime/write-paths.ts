import type { Gateway, Hint, Rule } from "../config.ts";
import { type Program, type Span, SqlFault } from "../sql.ts";
import type { PermitPlan, RulePlan, StreamPlan } from "./graph.ts";
import { Reach } from "./reach.ts";
import { rulesToWrites } from "./share.ts";

/** A configuration whose rules are planned. */
export interface Planned {
  readonly gateway: Gateway;
  readonly streams: ReadonlyMap<string, StreamPlan>;
  /** In an order in which each reads only what stands before it. */
  readonly rules: readonly RulePlan[];
  readonly permits: readonly PermitPlan[];
  /** Constant tags: they stand there whether their device answers or not. */
  readonly constants: ReadonlySet<string>;
  /** Types of tables and sources of whose rows nobody knows the age, by their names. */
  readonly past: ReadonlyMap<string, string>;
  /** One condition of a permit, compiled by itself. */
  permitAlone(condition: string): Program;
}

type Tell = (path: readonly (string | number)[], message: string, hint?: Hint) => void;

/** What may not stand on the way from a tag to a write; each finding names its rule of WRITING. */
export function checkWritePaths(planned: Planned, tell: Tell): void {
  const check = new WritePaths(planned, tell);
  check.feedback();
  check.hiding();
  check.sources();
  check.past();
}

class WritePaths {
  readonly #planned: Planned;
  readonly #tell: Tell;
  readonly #writing: ReadonlySet<string>;
  /** Rules that may leave a row out. */
  readonly #selective: ReadonlySet<string>;

  constructor(planned: Planned, tell: Tell) {
    this.#planned = planned;
    this.#tell = tell;
    this.#writing = rulesToWrites(planned.rules);
    this.#selective = new Set(planned.rules.filter(({ program }) => program.selective)
      .map(({ rule }) => rule.name));
  }

  /**
   * W8: every input of a written value is good, by lineage. What turns a bad input into a good
   * value may therefore stand in no rule on the way to a write, and in no permit (W12).
   */
  hiding(): void {
    const { gateway, rules, permits, permitAlone } = this.#planned;
    for (const { rule, program } of rules) {
      if (!this.#writing.has(rule.name)) continue;
      const refuse = (sentence: string, span: Span): void => {
        const fault = new SqlFault("unsafe", `${sentence} (W8)`, program.sql, span);
        this.#tell(["rules", rule.name, "sql"], fault.message, fault);
      };
      if (rule.emptyWindows !== false) {
        this.#tell(["rules", rule.name, "emptyWindows"], "A row that stands for none may not " +
          "be on the way to a write: whoever counts it would count a silent device (W8)");
      }
      if (rule.sendError) {
        this.#tell(["rules", rule.name, "sendError"], "A row that tells of a failure may not be " +
          "on the way to a write: whoever counts it would count what was left out (W8)");
      }
      for (const { sentence, span } of program.unsafe) {
        refuse(`${sentence}; it may not be on the way to a write`, span);
      }
      const selective = this.#selectiveBefore(program);
      if (selective !== undefined) {
        this.#tell(["rules", rule.name, "sql"], "The window cannot know which rows " +
          `${selective} left out only because its condition, join or key could not be trusted, ` +
          "and would call a sum without them good; a condition stands in the rule with the " +
          "window (W8)");
      }
    }
    for (const { tag, program } of permits) {
      if (program.unsafe.length === 0) continue;
      gateway.policy[tag]!.permit.forEach((condition, i) => {
        const { sql, unsafe } = permitAlone(condition);
        for (const { sentence, span } of unsafe) {
          const fault = new SqlFault("unsafe", `${sentence} (W12)`, sql, span);
          this.#tell(["policy", tag, "permit", i], fault.message, fault);
        }
      });
    }
  }

  /** A rule that may leave a row out, whose rows this one counts in a window. */
  #selectiveBefore({ stages, inputs }: Program): string | undefined {
    if (!stages.some(({ kind }) => kind === "window" || kind === "kept")) return undefined;
    return inputs.flatMap((input) => input.streams)
      .find((name) => this.#selective.has(name));
  }

  /**
   * W8: the rows of a group come while its device is silent, too. What is written must therefore
   * be made of a value that then is bad, or its row must be there because of one.
   */
  sources(): void {
    const { rules, streams: known, constants } = this.#planned;
    // Each rule reads only what stands before it.
    const row = new Map<string, boolean>();
    const columns = new Map<string, boolean>();
    for (const { name: stream, from, layout } of known.values()) {
      if (from !== "group") continue;
      const device = stream.slice(0, stream.lastIndexOf("."));
      for (const { name } of layout.columns) {
        if (constants.has(`${device}.${name}`)) columns.set(`${stream} ${name}`, false);
      }
    }
    for (const { rule, program } of rules) {
      const streams = program.inputs.flatMap((input) => input.streams);
      const carries = (name: string): boolean => {
        const having = streams.filter((stream) =>
          known.get(stream)!.layout.columns.some((column) => column.name === name));
        return having.length > 0 &&
          having.every((stream) => columns.get(`${stream} ${name}`) ?? true);
      };
      const reads = (name: string): boolean =>
        program.newest.some(({ tag }) => tag === name && !constants.has(tag)) || carries(name);
      const hasRow = program.sources.row.some(reads) || streams.every((stream) =>
        row.get(stream) ?? known.get(stream)!.from === "source");
      row.set(rule.name, hasRow);
      for (const [name, of] of Object.entries(program.sources.columns)) {
        columns.set(`${rule.name} ${name}`, hasRow || of.some(reads));
      }
      this.#checkWritten(rule, (name) => columns.get(`${rule.name} ${name}`) ?? true);
    }
  }

  /** W8: no machine is written from a row whose age nobody knows. */
  past(): void {
    const { rules, past } = this.#planned;
    for (const { rule, program } of rules.filter((plan) => this.#writing.has(plan.rule.name))) {
      const found = program.inputs.flatMap(({ streams }) => streams).find((name) => past.has(name));
      if (found === undefined) continue;
      this.#tell(["rules", rule.name, "sql"], `Nobody knows how old the rows of ${found} are, ` +
        `as with all that comes of type ${past.get(found)}; what is made of them may not be on ` +
        "the way to a write (W8)");
    }
  }

  #checkWritten(rule: Rule, reads: (column: string) => boolean): void {
    rule.to.forEach((target, i) => {
      if (target.kind !== "write" || reads(target.from)) return;
      this.#tell(["rules", rule.name, "to", i, "from"],
        `${target.from} is made of no value of a device, so it would be written while the device ` +
          "is silent; use a tag in it, or one in WHERE that says when to write (W8)");
    });
  }

  /** W13: nothing that a rule writes may feed it, but a controller may follow it. */
  feedback(): void {
    const { rules } = this.#planned;
    const known = new Map(rules.map((plan) => [plan.rule.name, plan]));
    for (const { rule, program } of rules) {
      for (const target of rule.to) {
        if (target.kind !== "write") continue;
        const reach = new Reach(known, target.tag);
        if (!reach.isOf(program, program.sources.followed[target.from])) continue;
        this.#tell(["rules", rule.name],
          `The rule writes ${target.tag} and reads it, directly or through other rules: such ` +
            `feedback is refused, except as what pid() follows, its 9th argument, where ` +
            `${target.from} is that pid() and nothing else of the rule reads it (W13)`);
      }
    }
  }
}
