import { UNCERTAIN } from "../../ring.ts";
import { type Code, indent } from "../emit/code.ts";
import { NewestLeaves, RowLeaves } from "../emit/leaves.ts";
import type { Leaves } from "../emit/rows.ts";
import {
  enterGroup, field, groupFields, storeGroup, takenRows, takeRow, type WindowSpec,
} from "./kernel.ts";
import { word } from "./words.ts";

/**
 * `running(p, from, to, head, time)`: takes rows [from, to) into their groups and writes for each
 * what its group has come to; returns how many it wrote. The tables are those of a window that
 * never closes (`kernel.ts`).
 */
export function runningKernel(code: Code, spec: WindowSpec): string {
  const leaves: Leaves = {
    code, row: new RowLeaves(code, spec.input, "r"), newest: new NewestLeaves(code),
  };
  const input = (part: "mask" | "time" | "source"): string => code.param({ of: "input", part },
    part);
  const output = (part: "mask" | "time" | "source"): string => code.param({ of: "output", part },
    `out_${part}`);
  const window = field(code, "window", "window");
  const errors = field(code, "errors", "errors");
  const mask = input("mask"), outMask = output("mask");
  const test = takenRows(spec, leaves);
  if (test.error !== "false") code.line(`failed = failed + (${test.error}) | 0;`);
  if (test.pass !== "true") code.line(`if (!(${test.pass})) continue;`);
  // The tables are zero to begin with, and no group is begun anew unless it takes another's place.
  const fields = groupFields(code, spec, false)
    .map((f) => (f.first === 0 && !spec.evicts ? { ...f, first: null } : f));
  enterGroup(code, spec, leaves, fields, window);
  const worst = fields.filter((f) => f.name.endsWith(".worst"))
    .map(({ place }) => ({ place, before: code.define("before", place) }));
  takeRow(code, spec, leaves, fields);
  storeGroup(code, spec);
  forgetErrors(code, worst);
  code.line(`F[${output("time")} + w | 0] = F[${input("time")} + r | 0];`);
  code.line(`F[${output("source")} + w | 0] = F[${input("source")} + r | 0];`);
  const body = indent(code.take(), "    ");
  return `function running(p, from, to, head, time) {
${indent(code.takePrologue(), "  ")}
  let w = head & ${outMask}, written = 0, failed = 0;
  let groups = F[${window} + ${word.groups} | 0] | 0;
${spec.keys.length > 0 ? "" : "  const g = 0;\n"}\
  for (let seq = from; seq !== to; seq = seq + 1 | 0) {
    const r = seq & ${mask};
${body}
    w = w + 1 & ${outMask};
    written = written + 1 | 0;
  }
  F[${window} + ${word.groups} | 0] = groups;
  F[${errors}] += failed;
  return written;
}`;
}

/** A group never closes: an error is that of its row only, later it counts as left out. */
function forgetErrors(
  code: Code, worst: readonly { readonly place: string; readonly before: string }[],
): void {
  const { skipped } = UNCERTAIN;
  for (const { place, before } of worst) {
    code.line(`if (${place} > 193) ${place} = ${before} > ${skipped} ? ${before} : ${skipped};`);
  }
}
