import {
  closeSync, existsSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync, writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { ConfigTexts } from "../runtime.ts";
import { policyPath } from "./examine.ts";

/**
 * Makes a restart load these texts. The policy first: it is only ever narrower than the one before,
 * so that a power cut between the two files lets nothing more through.
 */
export function keepTexts(path: string, { config, policy }: ConfigTexts): void {
  const policyFile = policyPath(path, config);
  if (policyFile !== null && policy !== "") replaceFile(policyFile, policy);
  replaceFile(path, config);
}

/** Whole and durable, or not at all: written beside it, then put in its place. */
function replaceFile(path: string, text: string): void {
  const file = existsSync(path) ? realpathSync(path) : path;
  const beside = join(dirname(file), `.${crypto.randomUUID()}.new`);
  const mode = existsSync(file) ? statSync(file).mode & 0o777 : 0o600;
  try {
    synced(beside, "wx", mode, (fd) => void writeSync(fd, text));
    renameSync(beside, file);
    synced(dirname(file), "r", 0, () => undefined);
  } finally {
    rmSync(beside, { force: true });
  }
}

function synced(path: string, flags: string, mode: number, work: (fd: number) => void): void {
  const fd = openSync(path, flags, mode);
  try {
    work(fd);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
