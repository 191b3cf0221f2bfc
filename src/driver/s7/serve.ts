import { Fault, textOfBytes } from "../../base.ts";
import type { DriverTag, ServeHost, Server } from "../../driver.ts";
import { isTextType, type Written } from "../../ring.ts";
import { StreamServer } from "../wire/stream-server.ts";
import { Field } from "./codec.ts";
import { timeOf } from "./time.ts";
import {
  dataBytes, frame_bytes_max, frameBytes, GOOD_CODE, isConnect, isJob, itemBytes, jobOf,
  placeAt, putAnswer, putConfirm, type Job, type Place,
} from "./pdu.ts";

const NO_OBJECT = 0x0a, PAST_THE_END = 0x05, NOT_PERMITTED = 0x03, HARDWARE = 0x01;
/** The PDU that is granted at most: what many CPUs of the middle grant. */
const granted_pdu_max = 480;

/** One data block or area: the configured tags and the bytes up to the last of them. */
interface Block {
  readonly fields: Field[];
  bytes: number;
}

/** Answers reads and writes from the values of tags. Between configured tags bytes read 0. */
class Device {
  readonly #host: ServeHost;
  readonly #blocks = new Map<string, Block>();

  constructor(tags: readonly DriverTag[], host: ServeHost) {
    this.#host = host;
    for (const field of tags.flatMap((tag) => new Field(tag).items)) {
      const { area, db, from, bytes } = field.address;
      const name = `${area}${db}`;
      let block = this.#blocks.get(name);
      if (block === undefined) this.#blocks.set(name, (block = { fields: [], bytes: 0 }));
      block.fields.push(field);
      block.bytes = Math.max(block.bytes, from + bytes);
    }
  }

  /** The bytes of a place now, or a return code. */
  read(place: Place): Uint8Array | number {
    const block = this.#block(place);
    if (typeof block === "number") return block;
    if (place.count > granted_pdu_max) return PAST_THE_END;
    const out = new Uint8Array(place.count);
    for (const field of block.fields) {
      const { from, bytes, bit } = field.address;
      if (from >= place.from + place.count || from + bytes <= place.from) continue;
      const now = this.#bytesOf(field);
      if (now === null) return HARDWARE;
      for (let i = 0; i < bytes; i++) {
        const at = from + i - place.from;
        if (at < 0 || at >= place.count) continue;
        out[at] = bit < 0 ? now[i]! : out[at]! | (now[0]! << bit);
      }
    }
    if (place.bit >= 0) out[0] = (out[0]! >> place.bit) & 1;
    return out;
  }

  /** `data`: whole bytes, or 0 or 1 for a bit. Gives the return code. */
  write(place: Place, data: Uint8Array): number {
    const block = this.#block(place);
    if (typeof block === "number") return block;
    if (place.area === "I") return NOT_PERMITTED;
    for (const field of block.fields) {
      const { from, bytes, bit } = field.address;
      if (from >= place.from + place.count || from + bytes <= place.from) continue;
      const value = this.#written(field, place, data);
      if (value === null) continue;
      if (value !== value || !this.#host.written(field.tag, value)) return NOT_PERMITTED;
      if (bit >= 0 && place.bit >= 0) return GOOD_CODE;
    }
    return GOOD_CODE;
  }

  /** What a field means after the write; null = it is not touched, NaN = it takes none. */
  #written(field: Field, place: Place, data: Uint8Array): Written | null {
    const { from, bytes, bit } = field.address;
    if (bit >= 0) {
      if (place.bit >= 0) return place.bit === bit ? data[0]! & 1 : null;
      return (data[from - place.from]! >> bit) & 1;
    }
    const now = this.#bytesOf(field);
    const isText = isTextType(field.tag.type);
    if ((field.number === null && !isText) || now === null || place.bit >= 0) return NaN;
    for (let i = 0; i < bytes; i++) {
      const at = from + i - place.from;
      if (at >= 0 && at < place.count) now[i] = data[at]!;
    }
    return field.number?.decode(now, 0) ?? textIn(field, now);
  }

  #block(place: Place): Block | number {
    const block = this.#blocks.get(`${place.area}${place.db}`);
    if (block === undefined) return NO_OBJECT;
    return place.from + place.count > block.bytes ? PAST_THE_END : block;
  }

  /** The bytes of a tag's value now; of a bit 0 or 1. Null = the device has none. */
  #bytesOf({ tag, number, address }: Field): Uint8Array | null {
    const value = this.#host.value(tag);
    if (value === null) return null;
    if (address.time !== null) return timeOf(address.time, Number(value));
    if (number === null) {
      const text = new TextEncoder().encode(String(value));
      const room = address.bytes - (address.isString ? 2 : 0);
      const out = new Uint8Array(address.bytes);
      if (address.isString) out.set([room, Math.min(room, text.length)]);
      out.set(text.subarray(0, room), address.isString ? 2 : 0);
      return out;
    }
    try {
      return number.encode(Number(value)).bytes;
    } catch (thrown) {
      // A value that the bytes cannot hold is trouble of the simulated device.
      if (thrown instanceof Fault) return null;
      throw thrown;
    }
  }
}

/** What the bytes of a text mean: a STRING says its length, other characters end at a 0. */
function textIn({ address: { isString } }: Field, bytes: Uint8Array): string {
  const text = isString ? bytes.subarray(2, 2 + bytes[1]!) : bytes;
  return textOfBytes(text).replace(/\0[^]*$/, "");
}

class S7Server extends StreamServer {
  readonly #device: Device;

  constructor(device: Device) {
    super(2 * frame_bytes_max, frame_bytes_max);
    this.#device = device;
  }

  protected frameBytes(n: number): number {
    return frameBytes(this.input, n);
  }

  protected isRequest(n: number): boolean {
    return isConnect(this.input) ||
      (isJob(this.input, n) && jobOf(this.input, granted_pdu_max) !== null);
  }

  protected answer(n: number): number {
    const { input, out } = this;
    if (isConnect(input)) return putConfirm(out, input, n);
    const job = jobOf(input, granted_pdu_max)!;
    const items = job.kind === "setup" ? [] : this.#items(job);
    const bytes = items.reduce<number>((sum, item) =>
      sum + itemBytes(typeof item === "number" ? 0 : item.length), 0);
    return bytes <= granted_pdu_max ? putAnswer(out, input, job, items) : 0;
  }

  #items(job: Extract<Job, { kind: "read" | "write" }>): (Uint8Array | number)[] {
    return job.places.map((at) => {
      const place = placeAt(this.input, at);
      if (place === null) return NO_OBJECT;
      if (job.kind === "read") return this.#device.read(place);
      const data = job.dataAt + 4;
      return this.#device.write(place, this.input.subarray(data,
        data + dataBytes(this.input, job.dataAt)));
    });
  }
}

/** Each connection has its own; the values are the host's. */
export function s7Server(tags: readonly DriverTag[], host: ServeHost): Server {
  return new S7Server(new Device(tags, host));
}
