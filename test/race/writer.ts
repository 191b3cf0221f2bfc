/** A worker that publishes numbered rows as fast as it can, in batches of changing size. */
import { Arena, Ring, type RingLayout } from "../../src/ring.ts";

export interface WriterTask {
  readonly buffer: SharedArrayBuffer;
  readonly at: number;
  readonly layout: RingLayout;
  readonly count: number;
  readonly batch_max: number;
  /** Loop turns of rest after each batch, so that the reader is not always a lap behind. */
  readonly rest: number;
}

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<WriterTask>) => {
  const ring = Ring.attach(Arena.attach(data.buffer), data.at, data.layout);
  const { F, I, U } = ring.arena;
  const [count, label] = [ring.column("count")!, ring.column("label")!];
  const words = label.slot / 4;
  let rested = 0;
  for (let left = data.count, turn = 0; left > 0; turn++) {
    const n = Math.min(left, 1 + (turn % data.batch_max));
    ring.claim(n);
    for (let i = 0; i < n; i++) {
      const seq = (ring.head + i) | 0;
      const row = seq & ring.mask;
      F[ring.timeAt + row] = seq;
      F[ring.sourceAt + row] = -seq;
      U[ring.flagsAt + row] = seq & 255;
      I[(count.payload + row) * 2] = seq;
      I[(count.payload + row) * 2 + 1] = ~seq;
      U[count.state + row] = (seq >> 8) & 255;
      I[label.length + row] = label.slot;
      for (let w = 0; w < words; w++) I[label.payload / 4 + row * words + w] = seq ^ w;
      U[label.state + row] = (seq >> 16) & 255;
    }
    ring.publish(n);
    left -= n;
    let sum = 0;
    for (let i = 0; i < data.rest; i++) sum += Math.imul(i, sum | 1);
    rested = sum;
  }
  self.postMessage(rested);
};
