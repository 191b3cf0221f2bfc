import { readFileSync } from "node:fs";

/** USER_HZ, the unit of /proc/PID/stat on Linux. */
const ticks_per_second = 100;

/** User and system time of all threads of a process: fields 14 and 15 of its `stat` (proc(5)). */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticks_per_second;
}
