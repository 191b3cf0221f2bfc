import { Fault } from "../../base.ts";
import type { Link } from "../../config.ts";
import type { ClientDriver, DriverTag, Request } from "../../driver.ts";
import { BAD, ERROR } from "../../ring.ts";
import { parseAddress, placesOf } from "./address.ts";
import { decode, encode, isRefusal, rawBytes, tagProblem } from "./codec.ts";
import type { OpcuaLink } from "./settings.ts";

const settings = () => require("./settings.ts") as typeof import("./settings.ts");

/** What needs the library, which costs some 25 MiB: loaded by who has such a link. */
let loaded: typeof import("./client.ts") | null = null;

async function load(): Promise<typeof import("./client.ts")> {
  loaded ??= await import("./client.ts");
  return loaded;
}

/** Type, and whether it ends here (OPC UA part 6, 6.7.2): what is in it may be encrypted. */
function readable(bytes: Uint8Array): string | null {
  const type = String.fromCharCode(...bytes.subarray(0, 3));
  if (bytes.length < 8 || !/^(HEL|ACK|ERR|OPN|CLO|MSG)$/.test(type)) return null;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
  return `${type}${bytes[3] === 0x43 ? ", more follows" : ""}, ${length} bytes`;
}

export const opcua: ClientDriver = {
  type: "opcua",
  medium: "client",
  get settings() {
    return settings().opcuaSettings;
  },

  checkTag: tagProblem,

  extents: (tag) => placesOf(parseAddress(tag.at)),
  rawBytes,

  plan: (tags: readonly DriverTag[], _link: Link): Request[] =>
    (tags.length === 0 ? [] : [{ station: tags[0]!.station, tags,
      text: tags.length === 1 ? tags[0]!.at : `${tags[0]!.at} and ${tags.length - 1} others` }]),

  advise({ state, tag }, { name }) {
    const browse = `tagwerk browse ${name}`;
    if (state === ERROR.type) return `the node has another type than the tag: ${browse} shows it`;
    return state !== BAD.address ? null
      : `the server has no node ${tag?.at ?? "of this name"}: ${browse} lists what it has; a ` +
        "namespace's number may change, its URI (nsu=) does not";
  },
  occupies: () => null,
  encode,
  decode,
  rejects: isRefusal,
  readable,
  rowsPerInterval: (link) => (link.settings as OpcuaLink).rowsPerInterval,

  async load(directory) {
    await load();
    const { ownIdentity } = await import("./trust.ts");
    // The link tries it again, and tells what is wrong.
    await ownIdentity(directory).catch((thrown: unknown) => thrown);
  },

  open(link, host) {
    if (loaded === null) throw new Fault("not-loaded", `${link.name}: opened before it was loaded`);
    return loaded.openClient(link, host);
  },

  tools: {
    trust: async (link, directory, certificate) => {
      const { trust, trustFile } = await import("./trust.ts");
      return typeof certificate === "string" ? trust(link, directory, certificate)
        : trustFile(link, directory, certificate);
    },
    endpoints: async (link, directory) =>
      (await import("./endpoints.ts")).endpoints(link, directory),
    browse: async (link, directory, below, most) =>
      (await import("./browse.ts")).browse(link, directory, below, most),
  },
};
