import { Fault, reason } from "../base.ts";
import { openOnnx, readModel, type Model } from "../infer.ts";
import type { Graph } from "../runtime.ts";
import { misfitOf } from "../sql.ts";
import type { Examined } from "./examine.ts";

/**
 * What is wrong with the models of a configuration, each opened as `run` does, one after the other:
 * the file, its form, and whether rules give and take what it takes and gives. How fast it is
 * shows on the gateway only.
 */
export async function examineModels(
  graph: Graph, tell: Examined["tell"],
): Promise<readonly string[]> {
  const texts: string[] = [];
  for (const model of graph.gateway.models) {
    let opened: Model;
    try {
      opened = await openOnnx({ ...model, file: await readModel(model.file) });
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      texts.push(tell(["models", model.name, "file"], reason(thrown)));
      continue;
    }
    for (const { rule, program } of graph.rules) {
      for (const stage of program.stages) {
        if (stage.kind !== "infer" || stage.model !== model.name) continue;
        const misfit = misfitOf(stage, opened);
        if (misfit !== null) texts.push(tell(["rules", rule.name, "sql"], reason(misfit)));
      }
    }
    opened.close();
  }
  return texts;
}
