import type { Pointer } from "bun:ffi";
import { Fault } from "../fault.ts";
import { EACCES, EBUSY, ENODEV, ENOENT, ENOTTY, ENXIO, errno, osFault } from "./error.ts";
import { close, lockDescriptor, openDevice } from "./file.ts";
import { libc } from "./libc.ts";

export interface LineSettings {
  readonly baud: number;
  readonly dataBits: 7 | 8;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
  /** `kernel`: the driver switches the transmitter by RTS; `adapter`: the adapter does itself. */
  readonly rs485: "kernel" | "adapter";
  /** With `kernel` only: what RTS is on for, and delays in ms. */
  readonly rtsOn: "send" | "receive";
  readonly rtsDelayBefore: number;
  readonly rtsDelayAfter: number;
  /** It is opened for reading: the system itself lets nothing be sent. */
  readonly listenOnly?: boolean;
}

// include/uapi/asm-generic/ioctls.h and termbits.h, the same on x64 and arm64.
const TCGETS = 0x5401, TCSETS = 0x5402, TCFLSH = 0x540b, TIOCEXCL = 0x540c, TIOCNXCL = 0x540d;
const TIOCSRS485 = 0x542f;
const TCIOFLUSH = 2;
const CBAUD = 0x100f, CS7 = 0x20, CS8 = 0x30;
const CSTOPB = 0x40, CREAD = 0x80, PARENB = 0x100, PARODD = 0x200;
const CLOCAL = 0x800;
const bauds: Readonly<Record<number, number>> = {
  1200: 9, 2400: 11, 4800: 12, 9600: 13, 19200: 14, 38400: 15,
  57600: 0x1001, 115200: 0x1002, 230400: 0x1003,
};

/**
 * struct termios of the kernel:
 *
 *     byte 0   iflag:4   4  oflag:4   8  cflag:4   12  lflag:4   16  line:1   17  cc:19
 */
const termios_bytes = 36;
const CFLAG = 2;
const VMIN = 17 + 6;

// struct serial_rs485: u32 flags, delay before, delay after (ms), then 20 bytes of zeros.
const rs485_bytes = 32;
const SER_RS485_ENABLED = 1, SER_RS485_RTS_ON_SEND = 2, SER_RS485_RTS_AFTER_SEND = 4;

/**
 * Opens a serial port for us alone (TIOCEXCL and flock, W23), raw, with these settings. Everything
 * is set before the first byte; what cannot be set is a Fault.
 */
export function openTty(path: string, line: LineSettings): number {
  const fd = openPort(path, line.listenOnly);
  try {
    if (!lockDescriptor(fd)) throw lockedFault(path);
    if (libc().ioctl(fd, TIOCEXCL, null) !== 0) throw lineFault(path, "no exclusive use");
    setLine(fd, path, line);
    if (line.rs485 === "kernel") setRs485(fd, path, line);
    flushTty(fd);
    return fd;
  } catch (thrown) {
    close(fd);
    throw thrown;
  }
}

/** Gives a port back: the next may open it. */
export function closeTty(fd: number): void {
  flushTty(fd);
  shareTty(fd);
  close(fd);
}

/** Ends exclusive use by TIOCEXCL; a flock stays. */
export function shareTty(fd: number): void {
  libc().ioctl(fd, TIOCNXCL, null);
}

/** Throws away what was received and not read, and what was written and not sent (W14). */
export function flushTty(fd: number): void {
  libc().ioctl(fd, TCFLSH, TCIOFLUSH as Pointer);
}

const unplugged = "is its adapter plugged in? /dev/serial/by-id has those that are";
/** What to try where a port cannot be opened, by errno. */
const remedies: Readonly<Record<number, string>> = {
  [ENOENT]: unplugged, [ENXIO]: unplugged, [ENODEV]: unplugged,
  [EACCES]: "add the user that runs Tagwerk to the port's group (usually dialout)",
};

function openPort(path: string, isReadOnly?: boolean): number {
  try {
    return openDevice(path, isReadOnly);
  } catch (thrown) {
    const remedy = thrown instanceof Fault ? remedies[Number(thrown.values["errno"])] : undefined;
    if (!(thrown instanceof Fault) || remedy === undefined) throw thrown;
    throw new Fault(thrown.code, `${thrown.message}; ${remedy}`, thrown.values, thrown.retry);
  }
}

function lockedFault(path: string): Fault {
  return new Fault("tty-locked", `${path} is in use by another program: end that one (fuser -v ` +
    `${path} shows it), or give this link another port`, { path }, "later");
}

function lineFault(path: string, what: string): Fault {
  switch (errno()) {
    case EBUSY: return lockedFault(path);
    case ENOTTY:
      return new Fault("no-tty", `${path} is no serial port: write one as /dev/ttyUSB0`, { path });
    default: return osFault("tty-settings", `${path}: ${what}`, { path });
  }
}

/** Bytes pass as they are; gives the control flags that the port took. */
function setTermios(fd: number, path: string, control: number): number {
  const termios = new Uint8Array(termios_bytes);
  const words = new Uint32Array(termios.buffer);
  if (libc().ioctl(fd, TCGETS, termios) !== 0) throw lineFault(path, "settings cannot be read");
  // Raw: no input, output or local flag is set; only the control flags matter.
  words.fill(0, 0, 4);
  words[CFLAG] = control;
  termios.fill(0, 16);
  termios[VMIN] = 1;
  if (libc().ioctl(fd, TCSETS, termios) !== 0) throw lineFault(path, "settings refused");
  if (libc().ioctl(fd, TCGETS, termios) !== 0) throw lineFault(path, "settings cannot be read");
  return words[CFLAG]!;
}

/** A pty's end that nobody has opened yet: without echo and line editing. */
export function setRaw(fd: number, path: string): void {
  setTermios(fd, path, bauds[19200]! | CS8 | CREAD | CLOCAL);
}

function setLine(fd: number, path: string, line: LineSettings): void {
  const control = controlFlags(line);
  // A driver tells by the speed it reports back that it cannot do what was asked. Parity cannot be
  // compared: a pty always reports none.
  if ((setTermios(fd, path, control) & CBAUD) !== (control & CBAUD)) {
    throw new Fault("tty-settings", `${path} cannot do ${line.baud} baud`, {
      path, baud: line.baud,
    });
  }
}

function controlFlags(line: LineSettings): number {
  const speed = bauds[line.baud];
  if (speed === undefined) {
    throw new Fault("tty-settings", `${line.baud} is no standard baud rate; known are ` +
      Object.keys(bauds).join(", "), { baud: line.baud });
  }
  const parity = line.parity === "none" ? 0 : line.parity === "even" ? PARENB : PARENB | PARODD;
  const size = line.dataBits === 7 ? CS7 : CS8;
  return speed | size | CREAD | CLOCAL | parity | (line.stopBits === 2 ? CSTOPB : 0);
}

function setRs485(fd: number, path: string, line: LineSettings): void {
  const rs485 = new Uint32Array(rs485_bytes / 4);
  const rts = line.rtsOn === "send" ? SER_RS485_RTS_ON_SEND : SER_RS485_RTS_AFTER_SEND;
  rs485[0] = SER_RS485_ENABLED | rts;
  rs485[1] = line.rtsDelayBefore;
  rs485[2] = line.rtsDelayAfter;
  if (libc().ioctl(fd, TIOCSRS485, rs485) === 0) return;
  if (errno() !== ENOTTY) throw lineFault(path, "RS-485 by the kernel refused");
  throw new Fault("rs485-unsupported", `${path} cannot switch RS-485 by the kernel (TIOCSRS485); ` +
    'if its adapter does by itself, write "rs485": "adapter"', { path });
}
