import type { Model } from "../../src/infer.ts";
import type { Timeline } from "./timeline.ts";

/** What is wrong with the model's next runs. */
export interface ModelTrouble {
  kind: "none" | "not-finite" | "fails" | "late";
  /** Runs it still hits. */
  left: number;
  hits: number;
}

/** A model that is computed here: the contract of `infer`, with time that its runs take. */
export function simModel(name: string, timeline: Timeline, trouble: ModelTrouble): Model {
  const inputs = new Float64Array(1);
  const results = new Float64Array(1);
  return {
    name, probe: 0.1, bytes: 1 << 20, arguments: inputs, results,
    inputs: [{ name: "x", type: "float32", shape: [1, 1] }],
    outputs: [{ name: "y", type: "float32", shape: [1, 1] }],
    run: () => {
      results[0] = 20 + 0.6 * inputs[0]!;
      timeline.now += 0.05;
      if (trouble.left === 0) return true;
      trouble.left -= 1;
      trouble.hits += 1;
      if (trouble.kind === "late") timeline.now += 30;
      if (trouble.kind === "not-finite") results[0] = NaN;
      return trouble.kind !== "fails" && trouble.kind !== "not-finite";
    },
    close: () => {},
  };
}
