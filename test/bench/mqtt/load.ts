import { connect, type Socket } from "node:net";

/**
 * The load: raw MQTT 3.1.1 over one socket, packets made beforehand and answers only counted, so
 * that the generator costs little beside what it measures. At most `window` messages are under way.
 */
const window = 1000;
const batch = 50;
/** Different messages, so that no value repeats soon. */
const variety = 4096;
const message_bytes = 200;
const attempt_ms = 250;
const attempts_max = 80;

export interface Load {
  /** Sends `n` messages to `topic`, counts as many on the answering topic; gives the seconds. */
  run(topic: string, n: number): Promise<number>;
  /** Sends one message again and again until it comes back; gives what came. */
  prove(topic: string): Promise<string>;
  close(): void;
}

/** 6 fields, 200 bytes. */
export function payload(i: number): string {
  const body = JSON.stringify({
    id: 1_000_000 + i, temperature: 60 + (i % 997) / 100, pressure: 3 + (i % 89) / 1000,
    running: i % 3 === 0, recipe: `steel-${i % 40}`, note: "",
  });
  return body.replace('"note":""', `"note":"${"n".repeat(message_bytes - body.length)}"`);
}

/** | type and flags | remaining length | topic length | topic | payload | (MQTT 3.1.1, 3.3) */
function publish(topic: string, content: string): Buffer {
  const name = Buffer.from(topic);
  const rest = 2 + name.length + content.length;
  const head = rest < 128 ? [0x30, rest] : [0x30, (rest % 128) | 128, rest >> 7];
  const prefix = Buffer.from([...head, name.length >> 8, name.length & 255]);
  return Buffer.concat([prefix, name, Buffer.from(content)]);
}

/** Counts PUBLISH packets in a stream of packets, whatever pieces it comes in. */
class Counter {
  count = 0;
  newest = "";
  #left = 0;
  #head: number[] = [];
  #publish = false;
  #pieces: Buffer[] = [];

  feed(bytes: Buffer, keep: boolean): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const n = Math.min(this.#left, bytes.length - at);
        if (keep) this.#pieces.push(bytes.subarray(at, at + n));
        at += n;
        this.#left -= n;
        if (this.#left === 0) this.#end(keep);
        continue;
      }
      this.#head.push(bytes[at++]!);
      if (this.#head.length < 2 || this.#head.at(-1)! >= 128) continue;
      this.#left = this.#head.slice(1).reduce((sum, byte, i) => sum + (byte & 127) * 128 ** i, 0);
      this.#publish = this.#head[0]! >> 4 === 3;
      this.#head = [];
      if (this.#left === 0) this.#end(keep);
    }
  }

  #end(keep: boolean): void {
    if (this.#publish) this.count++;
    if (this.#publish && keep) {
      const packet = Buffer.concat(this.#pieces);
      this.newest = packet.subarray(2 + packet.readUInt16BE(0)).toString();
    }
    this.#pieces = [];
  }
}

export async function createLoad(port: number, answers: string): Promise<Load> {
  const socket: Socket = connect(port, "127.0.0.1");
  socket.setNoDelay(true);
  await new Promise<void>((done) => socket.once("connect", done));
  const counter = new Counter();
  let keep = false;
  let onCount: () => void = () => undefined;
  socket.on("data", (bytes: Buffer) => {
    counter.feed(bytes, keep);
    onCount();
  });
  // CONNECT: protocol MQTT level 4, clean session, no keep-alive; SUBSCRIBE: qos 0.
  socket.write(Buffer.from("\x10\x11\0\x04MQTT\x04\x02\0\0\0\x05bench", "latin1"));
  const filter = Buffer.from(answers);
  socket.write(Buffer.concat([
    Buffer.from([0x82, filter.length + 5, 0, 1, 0, filter.length]), filter, Buffer.from([0]),
  ]));
  return {
    async prove(topic) {
      keep = true;
      onCount = () => undefined;
      const first = counter.count;
      for (let i = 0; counter.count === first; i++) {
        if (i === attempts_max) throw new Error(`no answer to ${topic}`);
        socket.write(publish(topic, payload(0)));
        await Bun.sleep(attempt_ms);
      }
      // Answers to the other attempts must not count later.
      await Bun.sleep(2 * attempt_ms);
      keep = false;
      return counter.newest;
    },
    async run(topic, n) {
      const packets = packetsOf(topic);
      const first = counter.count;
      let sent = 0;
      const started = performance.now();
      await new Promise<void>((done) => {
        onCount = () => {
          const back = counter.count - first;
          if (back >= n) return done();
          while (sent < n && sent - back + batch <= window) {
            socket.write(packets[(sent / batch) % packets.length]!);
            sent += batch;
          }
        };
        onCount();
      });
      return (performance.now() - started) / 1000;
    },
    close: () => socket.destroy(),
  };
}

const cache = new Map<string, Buffer[]>();

function packetsOf(topic: string): Buffer[] {
  let packets = cache.get(topic);
  if (packets === undefined) {
    packets = Array.from({ length: variety / batch | 0 }, (_, i) => Buffer.concat(
      Array.from({ length: batch }, (_, j) => publish(topic, payload(i * batch + j)))));
    cache.set(topic, packets);
  }
  return packets;
}
