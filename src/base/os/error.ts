import { Fault, type FaultValues } from "../fault.ts";
import { libc } from "./libc.ts";

/** Linux error numbers that Tagwerk meets (include/uapi/asm-generic/errno*.h). */
export const EINTR = 4;
export const EAGAIN = 11;
export const EBUSY = 16;
export const ENOTTY = 25;
export const ENOENT = 2;
export const ENXIO = 6;
export const EACCES = 13;
export const ENODEV = 19;
const EPERM = 1, EIO = 5, EINVAL = 22, ENOSYS = 38;

const sentences: Readonly<Record<number, string>> = {
  [EPERM]: "not permitted", [ENOENT]: "there is no such file", [EIO]: "input/output error",
  [EAGAIN]: "in use by another program", [EACCES]: "permission denied", [EBUSY]: "in use",
  [ENXIO]: "there is no such device", [ENODEV]: "there is no such device",
  [EINVAL]: "not supported by the device",
  [ENOTTY]: "not a serial port, or its driver does not know this", [ENOSYS]: "not implemented",
};

/** errno of the call just made. */
export function errno(): number {
  return libc().errno[0]!;
}

/** What errno of the call just made means, as a Fault. */
export function osFault(code: string, what: string, values: FaultValues = {}): Fault {
  const number = errno();
  const why = sentences[number] ?? `error ${number}`;
  return new Fault(code, `${what}: ${why}`, { ...values, errno: number }, "later");
}
