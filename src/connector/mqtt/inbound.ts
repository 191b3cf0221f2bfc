/** Remaining length: at most four bytes (MQTT 3.1.1, 2.2.3). */
const length_bytes_max = 4;

/**
 * Follows the packets of a connection by their fixed headers (2.2), so that one which is too long
 * is known before it is there; the client would keep it whole first.
 *
 *     | type and flags, 1 | remaining length, 1..4, seven bits a byte | as many bytes |
 */
export class InboundLengths {
  readonly #most: number;
  /** Length bytes of the present header; -1: its first byte is still to come. */
  #header = -1;
  #length = 0;
  /** Bytes of the present packet that are still to come. */
  #left = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Takes what came; the length of a packet that is too long, or 0. */
  take(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length;) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      if (!this.#complete(bytes[at++]!)) continue;
      if (this.#length > this.#most) return this.#length;
      this.#left = this.#length;
      this.#header = -1;
    }
    return 0;
  }

  /** Takes one byte of a header; true: it was the last one, and `#length` stands. */
  #complete(byte: number): boolean {
    if (this.#header === -1) {
      this.#header = this.#length = 0;
      return false;
    }
    this.#length += (byte & 127) * 128 ** this.#header;
    this.#header += 1;
    if (byte < 128) return true;
    // A header that goes on has no meaning: no packet is as long as that.
    if (this.#header < length_bytes_max) return false;
    this.#length = 128 ** length_bytes_max;
    return true;
  }
}
