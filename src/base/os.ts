/** The operating system beyond what Bun offers: the only home of bun:ffi. */
export { clockSynced, monotonic } from "./os/time.ts";
export { lingerReset, lingers } from "./os/socket.ts";
