/** The operating system beyond what Bun offers: the only home of bun:ffi. */
export { clockSynced, monotonic } from "./os/time.ts";
export { giveUpAfter, keepAlive, lingerReset } from "./os/socket.ts";
export {
  close, lockFile, pipe, readDescriptor, Waiter, writeDescriptor, writePipe,
} from "./os/file.ts";
export { becomeAnew, dropStartCode } from "./os/process.ts";
export { openPty } from "./os/pty.ts";
export { closeTty, flushTty, openTty, type LineSettings } from "./os/tty.ts";
