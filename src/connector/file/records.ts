import { open, stat, type FileHandle } from "node:fs/promises";
import { Fault } from "../../base.ts";

/** Bytes of one record at most. */
const record_bytes_max = 1 << 16;
/** Of one read: the record before, and what is known of the next one, are read again. */
const read_bytes = 2 * record_bytes_max;
/** What an open file takes. */
export const file_bytes = 2 * read_bytes;

const NEWLINE = 0x0a, QUOTE = 0x22;
/** UTF-8 files of some systems begin with EF BB BF. */
const byte_order_mark_bytes = 3;

/**
 * Index behind the record that begins at `from`, or -1 if it is not complete before `to`. With a
 * separator it is CSV: a line end inside a quoted field belongs to the field.
 */
function recordEnd(bytes: Uint8Array, from: number, to: number, separator: number | null): number {
  let isQuoted = false;
  let closed = -1;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === NEWLINE && !isQuoted) return at + 1;
    if (byte !== QUOTE || separator === null) continue;
    if (isQuoted) {
      isQuoted = false;
      closed = at;
    } else if (at === from || bytes[at - 1] === separator || closed === at - 1) {
      // At the beginning of a field, or the second one of two that stand for a quote.
      isQuoted = true;
    }
  }
  return -1;
}

/** `other`: what was read does not stand there any more, so that nobody knows what follows it. */
export type Filled = "more" | "end" | "other";

/**
 * A file that is read record by record, and that others append to. Its *mark* names a place in it:
 * where the next record begins, and by what it is known again: the length and a hash of the record
 * before. So a file that was replaced, cut or rewritten is told from one that only grew. Each read
 * begins with that record, too: nothing is taken from behind one that has changed.
 */
export class RecordFile {
  /** How fields are parted; null: each line is a record. */
  separator: number | null = null;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #node: string;
  #bytes = new Uint8Array(read_bytes);
  #spare = new Uint8Array(read_bytes);
  /** Of `#bytes`: the next record, and what has been read. */
  #from = 0;
  #to = 0;
  /** Where in the file `#bytes` begins. */
  #base = 0;
  /** What stands right before it, in `#bytes` too. */
  #last = { bytes: 0, hash: "" };
  /** What comes before the next line end belongs to no record. */
  #skipping = false;

  private constructor(path: string, handle: FileHandle, node: string) {
    this.#path = path;
    this.#handle = handle;
    this.#node = node;
  }

  static async open(path: string): Promise<RecordFile> {
    const handle = await open(path, "r");
    const found = await handle.stat();
    if (found.isFile()) return new RecordFile(path, handle, nodeOf(found));
    await handle.close();
    throw new Fault("file-kind", `${path} is no file`);
  }

  get mark(): string {
    return `${this.#base + this.#from} ${this.#last.bytes} ${this.#last.hash}`;
  }

  /** Reads on. */
  async fill(): Promise<Filled> {
    this.#shift();
    const known = this.#bytes, to = this.#to;
    const read = this.#spare;
    const { bytesRead } = await this.#handle.read(read, 0, read.length, this.#base);
    if (bytesRead < to || Buffer.compare(known.subarray(0, to), read.subarray(0, to)) !== 0) {
      return "other";
    }
    this.#bytes = read;
    this.#spare = known;
    this.#to = bytesRead;
    const isMarked = this.#base === 0 && read[0] === 0xef && read[1] === 0xbb;
    if (isMarked && this.#from === 0) this.#from = byte_order_mark_bytes;
    return bytesRead > to ? "more" : "end";
  }

  /**
   * The next whole record of what was read, without its line end; null: read on. Good until then.
   * A Fault for one that is too long, which is left out.
   */
  next(): Uint8Array | null {
    if (this.#skipping && !this.#skip()) return null;
    const most = Math.min(this.#to, this.#from + record_bytes_max);
    const end = recordEnd(this.#bytes, this.#from, most, this.separator);
    if (end >= 0) return this.#take(end);
    if (this.#to - this.#from < record_bytes_max) return null;
    // Of CSV it may be a quote that is not closed: then the lines behind it are whole ones.
    this.#skipping = true;
    this.#skip();
    throw new Fault("record-size", `a record of more than ${record_bytes_max} bytes`);
  }

  /** What stands behind the last line end. */
  rest(): Uint8Array | null {
    return this.#from === this.#to || this.#skipping ? null : this.#take(this.#to);
  }

  /** Goes to a place; false, and stays where it is, if the file is not the one that it is of. */
  async goTo(mark: string): Promise<boolean> {
    const [place, bytes, hash] = mark.split(" ") as [string, string, string];
    const [at, length] = [Number(place), Number(bytes)];
    if (at < length || length > record_bytes_max) return false;
    const read = this.#spare;
    const { bytesRead } = await this.#handle.read(read, 0, length, at - length);
    const isThere = bytesRead === length && hashOf(read.subarray(0, length)) === hash;
    if (!isThere && length > 0) return false;
    this.#jump(at - length);
    this.#bytes.set(read.subarray(0, length));
    this.#from = this.#to = length;
    this.#last = { bytes: length, hash };
    return true;
  }

  /** Goes to the end of what is there; a line that is not complete there is left out. */
  async goToEnd(): Promise<void> {
    const { size } = await this.#handle.stat();
    if (size === 0) return;
    this.#jump(size - 1);
    this.#skipping = true;
  }

  /** Its name leads to it, or between the two steps of a rotation nowhere. */
  async isNamed(): Promise<boolean> {
    try {
      return nodeOf(await stat(this.#path)) === this.#node;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return true;
      throw thrown;
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  #take(end: number): Uint8Array {
    const whole = this.#bytes.subarray(this.#from, end);
    this.#pass(end);
    let to = whole.length;
    if (whole[to - 1] === NEWLINE) to -= whole[to - 2] === 0x0d ? 2 : 1;
    return whole.subarray(0, to);
  }

  /** Past the next line end; false if it is not there yet. */
  #skip(): boolean {
    const end = recordEnd(this.#bytes, this.#from, this.#to, null);
    this.#pass(end < 0 ? this.#to : end);
    if (end >= 0) this.#skipping = false;
    return end >= 0;
  }

  #pass(end: number): void {
    if (end === this.#from) return;
    const passed = this.#bytes.subarray(Math.max(this.#from, end - record_bytes_max), end);
    this.#last = { bytes: passed.length, hash: hashOf(passed) };
    this.#from = end;
  }

  #jump(at: number): void {
    this.#base = at;
    this.#from = this.#to = 0;
    this.#last = { bytes: 0, hash: "" };
    this.#skipping = false;
  }

  /** The record before the next one becomes the first of `#bytes`. */
  #shift(): void {
    const gone = this.#from - this.#last.bytes;
    this.#bytes.copyWithin(0, gone, this.#to);
    this.#base += gone;
    this.#from -= gone;
    this.#to -= gone;
  }
}

const hashOf = (bytes: Uint8Array): string => Bun.hash(bytes).toString(36);

const nodeOf = ({ dev, ino }: { dev: number; ino: number }): string => `${dev} ${ino}`;
