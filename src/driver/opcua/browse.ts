import {
  AttributeIds, BrowseDirection, NodeClass, resolveNodeId, type ClientSession, type DataValue,
  type NodeId, type ReferenceDescription,
} from "node-opcua-client";
import { limits } from "../../base.ts";
import type { Link } from "../../config.ts";
import type { FoundTag } from "../../driver.ts";
import { isWritableType, itemTypes, type TagType } from "../../ring.ts";
import { parseAddress } from "./address.ts";
import { BUILT_IN } from "./codec.ts";
import { connect, nodeOf, quieten, type Connection } from "./session.ts";
import type { OpcuaLink } from "./settings.ts";

const objects_folder = "i=85";
/** The server's own nodes, which are no plant. */
const server_object = "ns=0;i=2253";
/** Nodes of one request. */
const nodes_max = 200;
/** Slots of what has no size of its own. */
const text_bytes = 64, json_bytes = 1024;

const types: ReadonlyMap<number, TagType> = new Map<number, TagType>([
  [BUILT_IN.Boolean, "bool"], [BUILT_IN.SByte, "int8"], [BUILT_IN.Byte, "uint8"],
  [BUILT_IN.Int16, "int16"], [BUILT_IN.UInt16, "uint16"], [BUILT_IN.Int32, "int32"],
  [BUILT_IN.UInt32, "uint32"], [BUILT_IN.Int64, "int64"], [BUILT_IN.UInt64, "uint64"],
  [BUILT_IN.Float, "float32"], [BUILT_IN.Double, "float64"], [BUILT_IN.DateTime, "time"],
  [BUILT_IN.String, `text(${text_bytes})`], [BUILT_IN.LocalizedText, `text(${text_bytes})`],
  [BUILT_IN.Guid, "text(36)"], [BUILT_IN.ByteString, `bytes(${text_bytes})`],
]);

interface Found {
  readonly node: NodeId;
  readonly path: string;
}

/** The readable values below a node, breadth first, as tags. */
export async function browse(
  link: Link, directory: string, below: string | null, most: number,
): Promise<FoundTag[]> {
  quieten(null);
  const settings = link.settings as OpcuaLink;
  const connection = await connect({ name: link.name, settings, directory }, 60_000);
  try {
    const start = nodeOf(parseAddress(below ?? objects_folder), connection.namespaces);
    return await tagsOf(connection, await variablesBelow(connection.session, start, most));
  } finally {
    await connection.client.disconnect();
  }
}

async function variablesBelow(
  session: ClientSession, start: NodeId, most: number,
): Promise<Found[]> {
  const seen = new Set([start.toString(), server_object]);
  const found: Found[] = [];
  let level: Found[] = [{ node: start, path: "" }];
  while (level.length > 0 && found.length < most) {
    const next: Found[] = [];
    for (let at = 0; at < level.length; at += nodes_max) {
      const part = level.slice(at, at + nodes_max);
      for (const [i, references] of (await childrenOf(session, part)).entries()) {
        for (const reference of references) {
          const node = reference.nodeId as unknown as NodeId;
          if (seen.has(node.toString())) continue;
          seen.add(node.toString());
          const one = { node, path: join(part[i]!.path, reference.browseName.name ?? "") };
          next.push(one);
          if (reference.nodeClass === NodeClass.Variable) found.push(one);
        }
      }
    }
    level = next;
  }
  return found.slice(0, most);
}

async function childrenOf(
  session: ClientSession, nodes: readonly Found[],
): Promise<ReferenceDescription[][]> {
  const results = await session.browse(nodes.map(({ node }) => ({
    nodeId: node, referenceTypeId: "HierarchicalReferences", includeSubtypes: true,
    browseDirection: BrowseDirection.Forward, nodeClassMask: 0, resultMask: 63,
  })));
  const all: ReferenceDescription[][] = [];
  for (const result of results) {
    const references = [...result.references ?? []];
    let more = result.continuationPoint;
    while (more !== null && more !== undefined && more.length > 0) {
      const rest = await session.browseNext(more, false);
      references.push(...rest.references ?? []);
      more = rest.continuationPoint;
    }
    all.push(references);
  }
  return all;
}

async function tagsOf(
  { session }: Connection, found: readonly Found[],
): Promise<FoundTag[]> {
  const attributes = [AttributeIds.DataType, AttributeIds.ValueRank, AttributeIds.ArrayDimensions,
    AttributeIds.UserAccessLevel];
  const each = attributes.length;
  const tags: FoundTag[] = [];
  const names = new Set<string>();
  const known = new Map<string, TagType>();
  for (let at = 0; at < found.length; at += nodes_max) {
    const part = found.slice(at, at + nodes_max);
    const answers = await session.read(part.flatMap(({ node }) =>
      attributes.map((attributeId) => ({ nodeId: node, attributeId }))));
    for (const [i, { node, path }] of part.entries()) {
      const [dataType, rank, dimensions, access] =
        answers.slice(i * each, (i + 1) * each) as DataValue[];
      const level = Number(access!.value.value ?? 0);
      if ((level & 1) === 0) continue;
      const one = await typeOf(session, node, String(dataType!.value.value), known);
      const isArray = Number(rank!.value.value) >= 0;
      const type = isArray ? arrayTypeOf(one, dimensions!.value.value) : one;
      const writable = (level & 2) !== 0 && isWritableType(type);
      tags.push({ name: unique(path, names), at: addressOf(node), type, writable });
    }
  }
  return tags;
}

/** Numbers in one dimension whose length the server tells; any other is the text of its JSON. */
function arrayTypeOf(item: TagType, dimensions: unknown): TagType {
  const lengths = Array.from((dimensions ?? []) as ArrayLike<number>);
  const fits = lengths.length === 1 && lengths[0]! > 0 && lengths[0]! <= limits.array_items_max;
  const known = itemTypes.find((type) => type === item);
  return fits && known !== undefined ? `${known}[${lengths[0]!}]` : `json(${json_bytes})`;
}

/** A type of our list: that of the node's data type, or of what it is derived from. */
async function typeOf(
  session: ClientSession, node: NodeId, dataType: string, known: Map<string, TagType>,
): Promise<TagType> {
  const found = known.get(dataType);
  if (found !== undefined) return found;
  const type = types.get(await session.getBuiltInDataType(node)) ?? `json(${json_bytes})` as const;
  known.set(dataType, type);
  return type;
}

const addressOf = (node: NodeId): string => resolveNodeId(node).toString().replace(/^ns=0;/, "");

const join = (path: string, name: string): string => (path === "" ? name : `${path}_${name}`);

/** A name that can stand in SQL, and no second time. */
function unique(path: string, names: Set<string>): string {
  const plain = path.replace(/[^A-Za-z0-9_-]+/g, "_").replace(/^[^A-Za-z]+/, "").slice(0, 120) ||
    "tag";
  let name = plain;
  for (let n = 2; names.has(name); n++) name = `${plain}_${n}`;
  names.add(name);
  return name;
}
