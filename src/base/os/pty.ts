import { osFault } from "./error.ts";
import { close, openDevice, readDescriptor, writeDescriptor } from "./file.ts";
import { libc } from "./libc.ts";
import { shareTty, setRaw } from "./tty.ts";

const O_RDWR = 2, O_NOCTTY = 0o400, O_NONBLOCK = 0o4000, O_CLOEXEC = 0o2000000;
const path_bytes = 128;

/** Both ends of a pseudo terminal, raw. What is read and written here is the far end of `path`. */
class Pty {
  readonly path: string;
  /** Its descriptor never blocks; `Bun.file(master).stream()` reads it without polling. */
  readonly master: number;
  /** Held open, so that the far end survives programs that open and close `path`. */
  readonly #held: number;

  constructor(master: number, path: string) {
    this.master = master;
    this.path = path;
    this.#held = openDevice(path);
    setRaw(this.#held, path);
  }

  /** As `readDescriptor`. */
  read(into: Uint8Array): number {
    return readDescriptor(this.master, into);
  }

  /** As `writeDescriptor`. */
  write(bytes: Uint8Array, n: number): number {
    return writeDescriptor(this.master, bytes, n);
  }

  /** As if the far end were plugged anew: nobody's exclusive use of it outlives its owner. */
  share(): void {
    shareTty(this.#held);
  }

  close(): void {
    close(this.#held);
    close(this.master);
  }
}

/** A new pseudo terminal (posix_openpt(3)), for the simulator and for tests. */
export function openPty(): Pty {
  const master = libc().posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  const path = new Uint8Array(path_bytes);
  if (master < 0 || libc().grantpt(master) !== 0 || libc().unlockpt(master) !== 0 ||
      libc().ptsname_r(master, path, path_bytes) !== 0) {
    throw osFault("pty-failed", "A pseudo terminal could not be made");
  }
  return new Pty(master, new TextDecoder().decode(path.subarray(0, path.indexOf(0))));
}
