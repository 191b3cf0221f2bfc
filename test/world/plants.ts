/** Bugs that the world must find: the file, and what is put in place of what stands there. */
export const plants: Readonly<Record<string, {
  readonly file: string;
  readonly edits: readonly (readonly [from: string, to: string])[];
}>> = {
  // What wakes a thread while it turns is forgotten when the turn is over.
  "lost wake-up": { file: "runtime/loop.ts", edits: [
    ["    this.#woken = false;\n", ""],
    ["    if (this.#woken) return;\n    if (dead", "    this.#woken = false;\n    if (dead"],
  ] },
  // A worker that waits for its next poll hears of a command only then.
  "worker not woken": { file: "runtime/serial.ts", edits: [["    this.#pipe.wake();\n", ""]] },
  // A retry: harmless for a read.
  "double send": { file: "driver/modbus/session.ts", edits: [
    ["  #fresh = true;\n  #not", "  #fresh = true;\n  #again = true;\n  #not"],
    ["    this.#last = last;\n", "    this.#last = last;\n    this.#again = false;\n"],
    ["  #garbled(found: number, now: number): void {\n",
      `  #garbled(found: number, now: number): void {
    if (!this.#again) {
      this.#again = true;
      this.#framing.discard();
      this.#wire.send(this.#framing.out, this.#frame);
      return;
    }
`],
  ] },
  // After a broadcast the next one may speak at once.
  "broadcast overrun": { file: "driver/modbus/session.ts", edits: [
    [" + turnaround_ms!;", ";"],
  ] },
  // Acknowledged before it is durable.
  "early receipt": { file: "runtime/journal.ts", edits: [
    ["    this.#messages.push({ end: this.inlet.head, mark, durable });\n", `    durable();
    this.#messages.push({ end: this.inlet.head, mark, durable: () => undefined });
`],
  ] },
  // A page that changed is taken for one that did not.
  "stale page": { file: "runtime/rule-state.ts", edits: [
    ["    if (hash === this.#hashes[i]) return null;\n",
      "    if (this.#hashes[i] !== null) return null;\n"],
  ] },
  // The checksum of an answer to another master does not count.
  "unsound answer": { file: "driver/modbus/conversation.ts", edits: [
    ["      if (!soundCrc(input, i, i + n)) continue;\n", ""],
  ] },
  // Now and then what a client writes is taken a second time.
  "request twice": { file: "connector/modbus-server/inlet.ts", edits: [
    ["    ring.publish(1);\n",
      "    ring.publish(1);\n    if (ring.head % 50 === 0) this.take(tags, fill);\n"],
  ] },
  // Who asks more than is answered at a time may stay.
  "flood borne": { file: "connector/modbus-server/session.ts", edits: [
    ["          else if (++asked > limits.register_requests_max) client.wrong = more;\n", ""],
  ] },
  "uncounted drop": { file: "runtime/sink.ts", edits: [
    ["      this.lost += lag - ring.rows;\n", ""],
  ] },
};
