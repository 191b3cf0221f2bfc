import type { S7Link } from "./settings.ts";

const connections = { pg: 1, op: 2, basic: 3 } as const;

/** The PLC's transport selector: kind of connection, rack and slot, unless it is given. */
export const remoteTsap = ({ remoteTsap: given, connection, rack, slot }: S7Link): number =>
  given ?? (connections[connection] << 8) + rack * 32 + slot;
