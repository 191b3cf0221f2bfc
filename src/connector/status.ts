import type { ConnectionStatus, ConnectorIo } from "../connector.ts";

/** Of a connection that has said nothing yet. */
export const freshStatus = (now: number): ConnectionStatus => ({
  state: "connecting", reason: "", since: now,
  received: 0, sent: 0, dropped: 0, errors: 0, lastError: "",
});

/** The state that `name` is in from now on, told once: a failure by its reason, else by `said`. */
export function become(
  status: ConnectionStatus, io: ConnectorIo, name: string, state: "up" | "down", said: string,
): void {
  const why = state === "up" ? "" : said;
  if (status.state === state && status.reason === why) return;
  status.state = state;
  status.reason = why;
  status.since = io.now();
  io.log[state === "up" ? "info" : "warn"](name, said);
}
