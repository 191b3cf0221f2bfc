import { type Components, type ConfigTexts, type Graph, type Port, received, Rpc, type Sent, sent }
  from "../runtime.ts";
import { examineTexts, type Examined } from "./examine.ts";
import type { Host } from "./verb.ts";

type Answer = Pick<Examined, "graph" | "texts">;
type SentAnswer = Pick<Examined, "texts"> & { readonly graph: Sent<Graph> | null };

/**
 * Works texts out on a thread of its own, so that whoever polls on this one goes on meanwhile. It
 * ends with the answer, and takes along what compiling leaves: garbage among plans, which keeps
 * pages from being given back, and the compiler's own machine code.
 */
export async function examineApart(
  host: Host, path: string, texts: ConfigTexts, links: string | null, name = path,
): Promise<Answer> {
  const thread = new Worker(host.workerUrl);
  try {
    const rpc = new Rpc(thread, {});
    thread.onerror = ({ message }) => rpc.end(message);
    const answer: SentAnswer = await rpc.call("examine", path, texts, links, name);
    return { ...answer,
      graph: answer.graph === null ? null : received(answer.graph, host.components) };
  } finally {
    thread.terminate();
  }
}

/** The other side: one question, and the thread is ended. */
export function serveExaminer(port: Port, components: Components): void {
  new Rpc(port, {
    examine: (
      path: string, given: ConfigTexts, links: string | null, name: string,
    ): SentAnswer => {
      const { graph, texts } = examineTexts(path, given, components, links, name);
      return { graph: graph === null ? null : sent(graph), texts };
    },
  });
}
