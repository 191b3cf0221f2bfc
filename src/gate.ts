/** The write gate: every path to equipment goes through it (WRITING.md). */
export * from "./gate/gate.ts";
