/** A worker that stands until its own bell rings, then rings another. */
import { Arena, Bell } from "../../src/ring.ts";

interface Bells {
  readonly buffer: SharedArrayBuffer;
  readonly at: number;
  readonly own: number;
}

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<Bells>) => {
  const arena = Arena.attach(data.buffer);
  const own = Bell.attach(arena, data.own);
  const seen = own.get();
  self.postMessage("ready");
  own.stand(seen, 60_000);
  Bell.attach(arena, data.at).ring();
};
