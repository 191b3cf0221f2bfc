import type { ConnectionStatus, Sink } from "../../connector.ts";
import { type Column, GOOD, isUncertain, type Ring, UNFIT_FLAGS } from "../../ring.ts";
import type { ShownRegister } from "./map.ts";
import type { Registers } from "./modbus.ts";

/** As OPC has them, and so that 0, which stands where nothing is, is bad. */
const GOOD_QUALITY = 192;
const UNCERTAIN_QUALITY = 64;
const BAD_QUALITY = 0;

/** One column, and the registers that tell of it. */
class Shown {
  readonly column: Column;
  readonly registers: readonly ShownRegister[];
  /** The newest value, a number or the bytes of a text, and how good it is. */
  value = NaN;
  readonly text: Uint8Array;
  length = 0;
  quality = BAD_QUALITY;
  /** There has been a value. */
  isKnown = false;
  /** Good values up to now, modulo 2^16. */
  count = 0;

  constructor(column: Column, registers: readonly ShownRegister[]) {
    this.column = column;
    this.registers = registers;
    this.text = new Uint8Array(column.slot);
  }
}

/** The newest row of one stream as registers show it. */
export class Feed implements Sink {
  readonly #ring: Ring;
  readonly #maxAge: number;
  readonly #shown: readonly Shown[];
  readonly #status: ConnectionStatus;
  readonly #ended: (feed: Feed) => void;
  #registers: Registers | null = null;
  #time = -Infinity;
  #isOld = true;
  /** The registers do not show yet what is known. */
  #isNew = false;

  constructor(
    ring: Ring, registers: readonly ShownRegister[], maxAge: number,
    status: ConnectionStatus, ended: (feed: Feed) => void,
  ) {
    this.#ring = ring;
    this.#maxAge = maxAge;
    this.#shown = [...Map.groupBy(registers, ({ name }) => columnOf(ring, name))]
      .flatMap(([column, own]) => (column === undefined ? [] : [new Shown(column, own)]));
    this.#status = status;
    this.#ended = ended;
  }

  get registers(): readonly ShownRegister[] {
    return this.#shown.flatMap(({ registers }) => registers);
  }

  /** From now on its values stand here. */
  show(registers: Registers): void {
    this.#registers = registers;
    this.#put();
  }

  drain(from: number, to: number): number {
    if (from === to) return to;
    for (const shown of this.#shown) this.#take(shown, from, to);
    const { arena: { F }, timeAt, mask } = this.#ring;
    this.#time = F[timeAt + ((to - 1) & mask)]!;
    this.#isOld = false;
    this.#isNew = true;
    this.#status.sent += (to - from) | 0;
    return to;
  }

  /** Somebody reads now: what is new is put there, and what has grown old is bad. */
  refresh(time: number): void {
    if (!this.#isOld && time - this.#time > this.#maxAge) {
      this.#isOld = true;
      this.#isNew = true;
    }
    if (this.#isNew) this.#put();
  }

  end(): void {
    this.#ended(this);
  }

  #take(shown: Shown, from: number, to: number): void {
    const { arena: { U }, flagsAt, mask } = this.#ring;
    const { column } = shown;
    let good = 0;
    for (let seq = from; seq !== to; seq = (seq + 1) | 0) {
      const row = seq & mask;
      if (U[column.state + row] === GOOD && (U[flagsAt + row]! & UNFIT_FLAGS) === 0) good += 1;
    }
    shown.count = (shown.count + good) & 0xffff;
    const row = (to - 1) & mask;
    const state = U[column.state + row]!;
    const isUnfit = (U[flagsAt + row]! & UNFIT_FLAGS) !== 0;
    shown.quality = state === GOOD && !isUnfit ? GOOD_QUALITY
      : state === GOOD || isUncertain(state) ? UNCERTAIN_QUALITY : BAD_QUALITY;
    if (shown.quality !== BAD_QUALITY) this.#read(shown, row);
  }

  #read(shown: Shown, row: number): void {
    const { F, I, U } = this.#ring.arena;
    const { column } = shown;
    shown.isKnown = true;
    if (column.slot > 0) {
      shown.length = I[column.length + row]!;
      const from = column.payload + row * column.stride;
      for (let i = 0; i < shown.length; i++) shown.text[i] = U[from + i]!;
    } else if (column.kind === "int64") {
      const word = (column.payload + row) * 2;
      shown.value = I[word + 1]! * 2 ** 32 + (I[word]! >>> 0);
    } else {
      shown.value = F[column.payload + row]!;
    }
  }

  #put(): void {
    const registers = this.#registers;
    if (registers === null) return;
    this.#isNew = false;
    for (const shown of this.#shown) {
      let quality = this.#isOld ? BAD_QUALITY : shown.quality;
      for (const register of shown.registers) {
        if (register.shown !== "value") continue;
        if (quality === BAD_QUALITY) this.#putBad(registers, shown, register);
        // A value that its registers cannot hold is no good one for whoever reads them.
        else if (!this.#putValue(registers, shown, register)) quality = BAD_QUALITY;
      }
      for (const { shown: what, tag } of shown.registers) {
        if (what === "quality") registers.put(tag, quality);
        else if (what === "counter") registers.put(tag, shown.count);
      }
    }
  }

  #putValue(registers: Registers, shown: Shown, { tag }: ShownRegister): boolean {
    return shown.column.slot > 0 ? registers.putText(tag, shown.text, 0, shown.length)
      : registers.put(tag, shown.value);
  }

  #putBad(registers: Registers, shown: Shown, register: ShownRegister): void {
    const { tag, onBad } = register;
    if (typeof onBad === "number") registers.put(tag, onBad);
    else if (onBad === "hold" && shown.isKnown) this.#putValue(registers, shown, register);
    else registers.clear(tag);
  }
}

/** The column of a stream that a name means: `rule.column`, or `device.tag` of a group. */
function columnOf(ring: Ring, name: string): Column | undefined {
  const { name: stream } = ring;
  if (name.startsWith(`${stream}.`)) return ring.column(name.slice(stream.length + 1));
  const device = stream.split(".", 1)[0]!;
  return name.startsWith(`${device}.`) ? ring.column(name.slice(device.length + 1)) : undefined;
}
