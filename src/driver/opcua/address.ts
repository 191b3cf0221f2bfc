import { assert, Fault } from "../../base.ts";
import type { Extent } from "../../driver.ts";

/** Where a tag lies, as the configuration spells it. */
export interface Address {
  /** `ns=2;s=Tank.Level`; of a node named by its namespace's URI without that. */
  readonly node: string;
  /** `urn:plant:tank`; empty = the node says its index. */
  readonly namespace: string;
  /** `3`, `0:9` (OPC UA part 4, 7.27), or empty. */
  readonly range: string;
  /** A write calls this method of this object with the value as its only argument. */
  readonly call: { readonly object: Node; readonly method: Node } | null;
}

/** A node of a server. */
export type Node = Pick<Address, "node" | "namespace">;

const wrong = (at: string, sentence: string): Fault =>
  new Fault("opcua-address", `\`${at}\`: ${sentence}`, { at });

/** OPC UA's own namespace: number 0 on any server (OPC UA part 3, 8.2.2). */
const own_namespace = "http://opcfoundation.org/UA/";

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const base64 = /^[A-Za-z0-9+/]+={0,2}$/;
const behind = /^(.*?)(?: +range +(\S+))?(?: +call +(.*))?$/;
const range = /^\d+(:\d+)?(,\d+(:\d+)?)*$/;
/** A node's id ends where the next one begins. */
const twoNodes = /^(\S.*?) +((?:nsu?=[^;]*;)?[isgb]=.*)$/;

/** Reads an address as the configuration spells it; a Fault says what would be right. */
export function parseAddress(at: string): Address {
  if (/[\x00-\x1f\x7f]/.test(at)) throw wrong(at, "a line's end or a tab stands in it");
  const [, id, part, called] = behind.exec(at.trim())!;
  if (part !== undefined && !range.test(part)) {
    throw wrong(at, `the range ${part} is none; \`range 3\` is one item, \`range 0:9\` the ` +
      "first ten");
  }
  for (const [from, to] of (part ?? "").split(",").map((one) => one.split(":").map(Number))) {
    if (to !== undefined && from! >= to) throw wrong(at, `the range ${part} ends before it begins`);
  }
  return { ...parseNode(at, id!), range: part ?? "",
    call: called === undefined ? null : parseCall(at, called) };
}

function parseCall(at: string, text: string): Address["call"] {
  const found = twoNodes.exec(text);
  if (found === null) {
    throw wrong(at, "behind `call` stand two nodes, the object and its method: " +
      "`ns=2;s=Level call ns=2;s=Tank ns=2;s=SetLevel`");
  }
  return { object: parseNode(at, found[1]!), method: parseNode(at, found[2]!) };
}

function parseNode(at: string, text: string): Node {
  const [, space, kind, id] = /^(?:(ns=[^;]*|nsu=[^;]*);)?([isgb])=(.*)$/.exec(text) ?? [];
  if (kind === undefined) {
    throw wrong(at, "no OPC UA node; write `ns=2;s=Tank.Level`, `nsu=urn:plant;s=Tank.Level` or " +
      "`i=2258` (s text, i number, g GUID, b base64); `tagwerk browse LINK` shows them");
  }
  if (space !== undefined && /^ns=/.test(space) && !/^ns=\d{1,5}$/.test(space)) {
    throw wrong(at, `${space} is no namespace: a number to 65535, or \`nsu=\` and its URI`);
  }
  checkId(at, kind, id!);
  const uri = space?.startsWith("nsu=") ? uriOf(at, space.slice(4)) : "";
  const namespace = uri === own_namespace ? "" : uri;
  const index = space === undefined || uri !== "" ? "" : `${space};`;
  if (space === "nsu=") throw wrong(at, "behind `nsu=` stands the namespace's URI");
  if (index !== "" && Number(space!.slice(3)) > 65535) {
    throw wrong(at, `${space}: a namespace's number is at most 65535`);
  }
  return { node: `${index}${kind}=${id}`, namespace };
}

function uriOf(at: string, text: string): string {
  try {
    return decodeURI(text);
  } catch (thrown) {
    assert(thrown instanceof URIError, "only this can be wrong with a text");
    throw wrong(at, `nsu=${text}: behind % stand two hexadecimal digits of UTF-8`);
  }
}

function checkId(at: string, kind: string, id: string): void {
  if (id === "") throw wrong(at, `nothing stands behind ${kind}=`);
  if (kind === "i" && !(/^\d+$/.test(id) && Number(id) < 2 ** 32)) {
    throw wrong(at, `i=${id}: a number to 4294967295; an id of text is s=${id}`);
  }
  if (kind === "g" && !guid.test(id)) {
    throw wrong(at, `g=${id}: a GUID is 32 digits, such as ` +
      "09087e75-8e5e-499b-954f-f2a9603db28a");
  }
  if (kind === "b" && !base64.test(id)) throw wrong(at, `b=${id} is no base64`);
}

/** What a write changes: a node, or items of it; a call changes what its method does, too. */
export function placesOf({ range: part, call, ...node }: Address): readonly Extent[] {
  const whole = { area: nameOf(node), from: 0, to: 0 };
  const own: Extent[] = part === "" ? [whole] : [{ ...whole, isPart: true }, itemsOf(node, part)];
  return call === null ? own : [...own,
    { area: `the method ${nameOf(call.method)} of ${nameOf(call.object)}`, from: 0, to: 0 }];
}

/** By the first dimension: of several no single item is written. */
function itemsOf(node: Node, part: string): Extent {
  const [from, to = from] = part.split(",")[0]!.split(":").map(Number);
  return { area: `items of ${nameOf(node)}`, from: from!, to: to! };
}

/** A node has many spellings: zeros before a number, small and capital letters of a GUID. */
function nameOf({ node, namespace }: Node): string {
  const [, index = "0", kind, id] = /^(?:ns=(\d+);)?([isgb])=(.*)$/.exec(node)!;
  const space = namespace !== "" ? `nsu=${namespace};`
    : Number(index) === 0 ? "" : `ns=${Number(index)};`;
  return `${space}${kind}=${plainId(kind!, id!)}`;
}

function plainId(kind: string, id: string): string {
  switch (kind) {
    case "i": return String(Number(id));
    case "g": return id.toLowerCase();
    case "b": return Buffer.from(id, "base64").toString("base64");
    default: return id;
  }
}
