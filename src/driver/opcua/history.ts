import type {
  ClientSession, DataValue, HistoryReadResult, HistoryReadValueIdOptions2, NodeId,
} from "node-opcua-client";
import type { Told } from "./publish.ts";

/** Nodes of one request, and values of one node in its answer. */
const nodes_max = 100;
const values_max = 1000;
/** Values of one gap of a group: what is more is left out, and told. */
const gap_values_max = 100_000;

/** What is wanted of one tag: its node, and the ms (source time) between which it was missed. */
export interface Missed {
  readonly tag: number;
  readonly nodeId: NodeId;
  readonly after: number;
  readonly before: number;
}

/** The values that a server kept while nobody listened; `full`: there were more of them. */
export async function readHistory(
  session: ClientSession, missed: readonly Missed[], told: (tag: number, answer: DataValue) => Told,
): Promise<{ values: Told[]; full: boolean }> {
  const values: Told[] = [];
  for (let at = 0; at < missed.length; at += nodes_max) {
    let open = missed.slice(at, at + nodes_max)
      .map((one) => ({ ...one, continuationPoint: undefined as Buffer | undefined }));
    const from = new Date(Math.min(...open.map(({ after }) => after)));
    const to = new Date(Math.max(...open.map(({ before }) => before)));
    while (open.length > 0) {
      const answers: HistoryReadResult[] = await session.readHistoryValue(
        open.map(({ nodeId, continuationPoint }): HistoryReadValueIdOptions2 =>
          ({ nodeId, continuationPoint })),
        from, to, { numValuesPerNode: values_max, returnBounds: false });
      const next: typeof open = [];
      answers.forEach(({ historyData, continuationPoint }, i) => {
        const one = open[i]!;
        const data = historyData as { readonly dataValues?: readonly DataValue[] | null } | null;
        for (const answer of data?.dataValues ?? []) {
          const value = told(one.tag, answer);
          if (value.source > one.after && value.source < one.before) values.push(value);
        }
        if (continuationPoint !== null && continuationPoint !== undefined &&
          continuationPoint.length > 0) next.push({ ...one, continuationPoint });
      });
      if (values.length > gap_values_max) return { values, full: true };
      open = next;
    }
  }
  return { values, full: false };
}
