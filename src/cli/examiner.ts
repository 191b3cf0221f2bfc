import { deserialize, serialize } from "bun:jsc";
import { Fault, type FaultValues } from "../base.ts";
import { type Components, type ConfigTexts, type Graph, received, type Sent, sent }
  from "../runtime.ts";
import { examineTexts, type Examined } from "./examine.ts";
import { spawnSelf } from "./self.ts";
import type { Verb } from "./verb.ts";

/** What is to be worked out, as `examineTexts` wants it. */
interface Question {
  readonly path: string;
  readonly texts: ConfigTexts;
  readonly links: string | null;
  readonly name: string;
}

type Answer = Pick<Examined, "graph" | "texts">;

/** A Fault as it travels. */
interface Failure {
  readonly code: string;
  readonly message: string;
  readonly values: FaultValues;
}

type Reply = (Pick<Examined, "texts"> & { readonly graph: Sent<Graph> | null }) |
  { readonly failure: Failure };

/** The system started nothing: an emulator, whose programs are not the system's own. */
const not_started_code = 127;

/**
 * Works texts out in a process of its own, so that whoever polls on this thread goes on meanwhile.
 * All that compiling leaves goes with it: garbage among plans, machine code, holes in the
 * allocator's pages.
 */
export async function examineApart(components: Components, question: Question): Promise<Answer> {
  const child = spawnSelf([examineVerb.name], Buffer.from(JSON.stringify(question)));
  const bytes = await Bun.readableStreamToArrayBuffer(child.stdout);
  const code = await child.exited;
  if (code === not_started_code) return here(components, question);
  if (code !== 0) {
    throw new Fault("examiner-ended", "The process that worked the configuration out ended with " +
      (child.signalCode ?? `exit code ${code}`), { code, signal: child.signalCode ?? "" });
  }
  const reply: Reply = deserialize(bytes);
  if ("failure" in reply) {
    throw new Fault(reply.failure.code, reply.failure.message, reply.failure.values);
  }
  return { ...reply, graph: reply.graph === null ? null : received(reply.graph, components) };
}

const here = (components: Components, { path, texts, links, name }: Question): Answer =>
  examineTexts(path, texts, components, links, name);

/** The other side; nothing that a person would call. */
export const examineVerb: Verb = {
  name: "examine",
  usage: "examine",
  words: 0,
  summary: "answers `run`, which starts it: a question on its input, the reply on its output",
  help: "",
  options: {},
  async run(_, { components }) {
    await Bun.write(Bun.stdout, serialize(replyTo(components, await Bun.stdin.json())));
    return 0;
  },
};

function replyTo(components: Components, question: Question): Reply {
  try {
    const { graph, texts } = here(components, question);
    return { graph: graph === null ? null : sent(graph), texts };
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    const { code, message, values } = thrown;
    return { failure: { code, message, values } };
  }
}
