import type { ConnectionStatus, ConnectorIo } from "../../connector.ts";
import type { TagOnLink } from "../../config.ts";
import { ABSENT, copyCell, type Ring } from "../../ring.ts";
import type { WrittenRegister } from "./map.ts";
import type { Fill } from "./modbus.ts";

/**
 * What clients write becomes rows of one stream: a request is a row, and what it did not set is
 * absent. It is no command: what comes of it is for a rule, and what that may write for its policy.
 */
export class Inlet {
  /** What clients may set; each knows the column that it fills. */
  readonly tags: ReadonlySet<TagOnLink>;
  readonly #ring: Ring;
  readonly #status: ConnectionStatus;
  readonly #io: ConnectorIo;

  constructor(
    ring: Ring, registers: readonly WrittenRegister[], status: ConnectionStatus, io: ConnectorIo,
  ) {
    this.#ring = ring;
    this.tags = new Set(registers.map(({ tag, column }): TagOnLink =>
      ({ ...tag, column: ring.column(column)!.index })));
    this.#status = status;
    this.#io = io;
  }

  take(tags: readonly TagOnLink[], fill: Fill): void {
    const ring = this.#ring;
    const { arena: { F, U }, head, mask } = ring;
    const row = head & mask;
    ring.claim(1);
    for (const column of ring.columns) {
      copyCell(ring, column, head - 1, ring, column, head);
      U[column.state + row] = ABSENT;
    }
    for (const tag of tags) if (this.tags.has(tag)) fill(tag, ring, head);
    F[ring.timeAt + row] = this.#io.time();
    F[ring.sourceAt + row] = NaN;
    U[ring.flagsAt + row] = this.#io.flags();
    ring.publish(1);
    this.#status.received += 1;
    this.#io.wake();
  }
}
