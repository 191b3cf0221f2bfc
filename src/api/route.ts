import type { z } from "zod";
import { Fault } from "../base.ts";
import type { Runtime } from "../runtime.ts";

/**
 * Who may call: `read` anybody who reaches the port (a token if one is configured), `token` only
 * with the token, also on loopback (W17), `anyone` without token even if one is set (health probes,
 * and `disarm` on loopback), `socket` only over the unix socket on the box (W1, W4).
 */
export type Access = "anyone" | "read" | "token" | "socket";

export interface Call {
  readonly runtime: Runtime;
  /** Path parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** Over the unix socket, not the network. */
  readonly local: boolean;
  /** Address of the caller, or `socket`. */
  readonly from: string;
  readonly pace: { readonly refused: number };
}

export interface Answer {
  readonly status?: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly type?: string;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** `/streams/{name}/latest` */
  readonly path: string;
  readonly summary: string;
  readonly access: Access;
  /** Answered at once, however many others wait: what safety or a supervisor asks. */
  readonly always?: true;
  readonly body?: z.ZodType;
  /** Where it is not `body_bytes_max`. */
  readonly body_bytes_max?: number;
  /** Whole numbers of the body past 2^53 keep their digits, as bigint. */
  readonly exact?: true;
  readonly query?: Readonly<Record<string, string>>;
  /** What 200 means, one sentence. */
  readonly answers: string;
  handle(call: Call): Promise<Answer>;
  /** Told of a request that never came to `handle`: who called, or how, was not right. */
  refused?(call: Pick<Call, "runtime" | "local" | "from">, why: Fault): Promise<void>;
}

/** HTTP status of a Fault's code. */
export function statusOf(fault: Fault): number {
  if (fault.code === "unknown-method") return 405;
  if (fault.code.startsWith("unknown-")) return 404;
  if (fault.code === "api-busy") return 503;
  if (fault.code === "not-authenticated") return 401;
  if (fault.code === "not-authorised") return 403;
  if (fault.code === "body-too-long") return 413;
  if (fault.code === "body" || fault.code === "query") return 400;
  return 409;
}
