import type { FrameRecord } from "../../src/sim/link.ts";

/** Everything that can be seen of a world, as one hash: one seed, one hash. */
export class Trace {
  lines = 0;
  readonly #hash = new Bun.CryptoHasher("sha256");
  readonly #print: boolean;

  constructor(print: boolean) {
    this.#print = print;
  }

  add(now: number, what: string, text: string): void {
    const line = `${now.toFixed(3)} ${what} ${text}`;
    this.lines += 1;
    this.#hash.update(line);
    if (this.#print) console.log(line);
  }

  frame(frame: FrameRecord): void {
    const { t, link, connection, dir, bytes, fault } = frame;
    this.add(t, "frame", `${link} ${connection} ${dir} ${bytes} ${fault ?? ""}`);
  }

  digest(): string {
    return this.#hash.digest("hex").slice(0, 16);
  }
}
