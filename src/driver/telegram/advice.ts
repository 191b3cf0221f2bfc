import { formatDuration } from "../../base.ts";
import type { Link } from "../../config.ts";
import type { Trouble } from "../../driver.ts";
import { BAD } from "../../ring.ts";
import type { SerialLink, SharedLink } from "./settings.ts";

/** What to try where a machine is silent, or says something else than was expected. */
export function advise({ state, answered }: Trouble, link: Link): string | null {
  const look = `tagwerk frames ${link.name} shows what passes`;
  switch (state) {
    case BAD.timeout: {
      const { timeout } = link.settings as SharedLink;
      const enough = `${formatDuration(timeout)} enough`;
      if (answered) return `it answered before: is it on, and is ${enough}?`;
      const { baud, parity } = link.settings as Partial<SerialLink>;
      const line = baud === undefined ? "" : `are ${baud} baud and parity ${parity} its own, and `;
      return `${line}does it know this command, with this end of a telegram? ${look}`;
    }
    case BAD.garbled:
      return `what it says does not fit "match", the frame or its checksum: ${look}`;
    case BAD.exception: return `its answer is not what "acknowledge" says: ${look}`;
    case BAD.source:
      return `it says so itself, or by a word that "quality" does not name: ${look}`;
    default: return null;
  }
}
