import type { ColumnSpec } from "../../ring.ts";
import type { BoundStateful } from "../bound.ts";
import { Code } from "../emit/code.ts";
import { Layout } from "../emit/params.ts";
import type { StageInput } from "../emit/stages.ts";
import type { StatefulPlan } from "../program.ts";
import { StatefulKernel } from "./kernel.ts";

/** The plan of some calls that see every row, beside the columns that later stages read. */
export function statefulStage(
  input: StageInput,
  calls: readonly { readonly spec: ColumnSpec; readonly node: BoundStateful }[],
  passed: readonly ColumnSpec[],
): StatefulPlan {
  const layout = new Layout();
  layout.add("dropped", "F", 1);
  const code = new Code(layout);
  const kernel = new StatefulKernel(code, input);
  calls.forEach(({ node }, i) => kernel.call(node, `${node.fn}${i}`));
  const passes = passed.filter((c) => c.name !== input.oldest?.name);
  const text = kernel.finish(calls, passes);
  layout.add("params", "F", code.params.length);
  return {
    kind: "stateful", input: input.columns, outputRows: 0,
    output: [...passes, ...calls.map(({ spec }) => spec),
      ...(input.oldest === null ? [] : [input.oldest])],
    stateBytes: layout.bytes, state: layout, params: code.params, text,
    functions: calls.map(({ node }) => node.fn), alarms: kernel.alarms,
    interrupts: input.strict ? kernel.interrupts : [],
    keys: Math.max(0, ...calls.map(({ node }) => (node.partitionBy.length > 0 ? node.keys : 0))),
  };
}
