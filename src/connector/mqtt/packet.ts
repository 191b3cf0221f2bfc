import type { RowEncoder } from "../../codec.ts";

/** Rows are put one behind the other into a piece of this size, which the socket then holds. */
const piece_bytes = 64 * 1024;
/** Remaining length: seven bits a byte, at most four bytes (MQTT 3.1.1, 2.2.3). */
const length_bytes_max = 4;

/**
 * PUBLISH packets of qos 0 (3.3), many in one piece of bytes, so that a batch of rows is one write:
 *
 *     | 0x30, 0x31 retained | remaining length, 1..4 | topic length, 2 | topic | payload |
 *
 * A piece that the socket may still hold is never written again; after a full one comes a new one.
 */
export class PacketWriter {
  readonly #encoder: RowEncoder;
  readonly #topic: Buffer;
  readonly #first: number;
  #piece = Buffer.allocUnsafeSlow(0);
  #from = 0;
  #at = 0;
  /** Bytes of the last remaining length: the next one mostly has as many. */
  #lengthBytes = 2;

  constructor(encoder: RowEncoder, topic: string, retain: boolean) {
    this.#encoder = encoder;
    this.#topic = Buffer.from(topic);
    this.#first = retain ? 0x31 : 0x30;
  }

  /** False: no room for another row; take what is there first. */
  get hasRoom(): boolean {
    const most = 1 + length_bytes_max + 2 + this.#topic.length + this.#encoder.bytes_max;
    if (this.#piece.length - this.#at >= most) return true;
    if (this.#at > this.#from) return false;
    this.#piece = Buffer.allocUnsafeSlow(Math.max(piece_bytes, most));
    this.#from = this.#at = 0;
    return true;
  }

  add(seq: number): void {
    const piece = this.#piece;
    const topic = this.#topic;
    const start = this.#at;
    let rest = start + 1 + this.#lengthBytes;
    const length = this.#encoder.encode(seq, piece, rest + 2 + topic.length) - rest;
    const bytes = length < 128 ? 1 : length < 16384 ? 2 : length < 2097152 ? 3 : 4;
    if (bytes !== this.#lengthBytes) {
      piece.copyWithin(start + 1 + bytes, rest, rest + length);
      rest = start + 1 + bytes;
      this.#lengthBytes = bytes;
    }
    piece[start] = this.#first;
    for (let i = 0, left = length; i < bytes; i++, left >>>= 7) {
      piece[start + 1 + i] = i === bytes - 1 ? left : (left & 127) | 128;
    }
    piece[rest] = topic.length >> 8;
    piece[rest + 1] = topic.length & 255;
    for (let i = 0; i < topic.length; i++) piece[rest + 2 + i] = topic[i]!;
    this.#at = rest + length;
  }

  /** The packets since the last time; none = an empty view. */
  take(): Buffer {
    const packets = this.#piece.subarray(this.#from, this.#at);
    this.#from = this.#at;
    return packets;
  }
}
