import { timingSafeEqual } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { z } from "zod";
import { Fault, limits, nearest, parseJson, reason, type Log } from "../base.ts";
import type { Runtime } from "../runtime.ts";
import { alarmRoutes } from "./alarms.ts";
import { changeRoutes } from "./change.ts";
import { deviceRoutes } from "./devices.ts";
import { healthRoutes } from "./health.ts";
import { metricsRoutes } from "./metrics.ts";
import { openapi } from "./openapi.ts";
import { Pace } from "./pace.ts";
import { statusOf, type Answer, type Route } from "./route.ts";
import { ruleRoutes } from "./rules.ts";
import { streamRoutes } from "./streams.ts";
import { tableRoutes } from "./tables.ts";
import { writingRoutes } from "./writing.ts";

export const routes: readonly Route[] = [
  ...healthRoutes, ...metricsRoutes, ...deviceRoutes, ...streamRoutes, ...ruleRoutes,
  ...changeRoutes, ...tableRoutes, ...alarmRoutes, ...writingRoutes,
];

export interface ApiOptions {
  readonly runtime: Runtime;
  readonly listen: string;
  readonly port: number;
  readonly token: string | null;
  /** Path of the unix socket of the command line (mode 0600). */
  readonly socket: string;
  readonly version: string;
  readonly log: Log;
}

interface Serving extends ApiOptions {
  /** OpenAPI, made once: a flood of questions for it must not cost more than others. */
  readonly description: string;
}

export interface Api {
  /** Where it listens; the port that was given out if 0 was asked for. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Beyond the longest answer that somebody waits for (`try_ms_max`). */
const idle_seconds_max = 60;

/** What is too long is refused by `readBody`, in words: the server's own answer has none. */
const unbounded = 2 ** 40;

/** One set of routes, served on the network and on the command line's socket. */
export function startApi(options: ApiOptions): Api {
  const { listen, port, socket, version } = options;
  const serving = { ...options, description: JSON.stringify(openapi(routes, version)) };
  // A flood from the network must not keep the command line out.
  const [network, commandLine] = [new Pace(), new Pace()];
  const tcp = bound(`${listen}:${port}`, () => Bun.serve({
    hostname: listen, port, maxRequestBodySize: unbounded, idleTimeout: idle_seconds_max,
    fetch: (request, server) =>
      answer(serving, request, network, false, server.requestIP(request)?.address ?? "?"),
  }));
  rmSync(socket, { force: true });
  // The socket is made without rights for others from its first moment.
  const mask = process.umask(0o177);
  const overSocket = {
    unix: socket, maxRequestBodySize: unbounded, idleTimeout: idle_seconds_max,
    fetch: (request: Request) => answer(serving, request, commandLine, true, "socket"),
  };
  // It heeds `idleTimeout` here too, though its types have it for TCP only.
  const unix = Bun.serve(overSocket as unknown as Bun.Serve.Options<undefined>);
  process.umask(mask);
  chmodSync(socket, 0o600);
  return {
    url: tcp.url.href,
    async stop() {
      await Promise.all([tcp.stop(true), unix.stop(true)]);
      rmSync(socket, { force: true });
    },
  };
}

/** What keeps the API from listening is the world's trouble, told with the place. */
function bound<T>(place: string, serve: () => T): T {
  try {
    return serve();
  } catch (thrown) {
    throw new Fault("api-listen", `The API cannot listen on ${place} (${reason(thrown)}); ` +
      'is another program there? Set "api": {"listen": "127.0.0.1:PORT"}', { place });
  }
}

async function answer(
  options: Serving, request: Request, pace: Pace, local: boolean, from: string,
): Promise<Response> {
  try {
    const url = new URL(request.url);
    if (url.pathname === "/openapi.json") {
      return new Response(options.description, { headers: { "content-type": "application/json" } });
    }
    const { route, params } = find(request.method, url.pathname);
    checkQuery(route, url.searchParams);
    const { runtime } = options;
    const posted = route.method === "POST";
    const most = route.body_bytes_max ?? limits.body_bytes_max;
    const read = async (): Promise<unknown> =>
      posted ? await readBody(request, most, route.exact ?? false) : undefined;
    const handle = async (body: unknown): Promise<Response> => {
      const given = { runtime, params, query: url.searchParams, body, local, from, pace };
      return toResponse(await route.handle(given));
    };
    try {
      authorise(options, route, request, local);
      if (route.always === true) return await handle(await read());
      return await pace.answer(posted, read, handle);
    } catch (thrown) {
      if (thrown instanceof Fault) await route.refused?.({ runtime, local, from }, thrown);
      throw thrown;
    }
  } catch (thrown) {
    return toError(options.log, thrown);
  }
}

/** A part of the path as text; one that is no percent-encoding stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (thrown) {
    if (thrown instanceof URIError) return part;
    throw thrown;
  }
}

function find(method: string, path: string): { route: Route; params: Record<string, string> } {
  const parts = path.split("/");
  let wrongMethod = false;
  for (const route of routes) {
    const wanted = route.path.split("/");
    if (wanted.length !== parts.length) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((part, i) => {
      if (!part.startsWith("{")) return part === parts[i];
      params[part.slice(1, -1)] = decoded(parts[i]!);
      return true;
    });
    if (!fits) continue;
    if (route.method === method) return { route, params };
    wrongMethod = true;
  }
  throw wrongMethod
    ? new Fault("unknown-method", `${path} does not answer ${method}`)
    : new Fault("unknown-path", `There is nothing at ${path}; /openapi.json lists what there is`);
}

/** A question that is misspelt must not be answered as if it had not been asked. */
function checkQuery({ path, query }: Route, given: URLSearchParams): void {
  if (query === undefined) return;
  const known = Object.keys(query);
  for (const name of given.keys()) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    throw new Fault("query", `${path} knows no ${name}; ` +
      (meant === null ? `there is ${known.join(", ")}` : `did you mean ${meant}?`), { name });
  }
}

/** W17: a write needs the token, also on loopback; the unix socket is the box's own. */
function authorise(options: ApiOptions, route: Route, request: Request, local: boolean): void {
  if (local) return;
  if (route.access === "socket") {
    throw new Fault("not-authorised",
      `${route.path} is answered only over the unix socket on the box`);
  }
  const loopback = options.listen === "127.0.0.1" || options.listen === "::1" ||
    options.listen === "localhost";
  if (route.access === "anyone" && (loopback || route.path === "/health")) return;
  const { token } = options;
  if (token === null && route.access !== "token") return;
  if (token === null) {
    throw new Fault("not-authorised", `${route.path} is for nobody without a token; ` +
      'set "api": {"token": "env:NAME"} in the configuration');
  }
  const given = request.headers.get("authorization") ?? "";
  if (!sameText(given, `Bearer ${token}`)) {
    throw new Fault("not-authenticated",
      `${route.path} needs the header "Authorization: Bearer TOKEN"`);
  }
}

/** In a time that says nothing of where they differ. */
function sameText(a: string, b: string): boolean {
  const hash = (text: string): Uint8Array => new Bun.CryptoHasher("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

async function readBody(
  request: Request, bytes_max: number, exact: boolean,
): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  // A page in a browser cannot send this type to another origin without asking first.
  if (!type.startsWith("application/json")) {
    throw new Fault("body",
      `The body must be JSON with "Content-Type: application/json", not "${type}"`);
  }
  const text = await readText(request, bytes_max);
  try {
    return exact ? parseJson(text) : JSON.parse(text);
  } catch (thrown) {
    throw new Fault("body", `The body is no JSON: ${reason(thrown)}`);
  }
}

/** Of a body that is longer nothing more is read, and no more than this is ever kept. */
async function readText(request: Request, bytes_max: number): Promise<string> {
  const tooLong = new Fault("body-too-long",
    `The body is longer than ${bytes_max} bytes`, { bytes_max });
  if (Number(request.headers.get("content-length") ?? 0) > bytes_max) throw tooLong;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > bytes_max) throw tooLong;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function toResponse(answer: Answer): Response {
  const status = answer.status ?? 200;
  if (answer.text === undefined) return Response.json(answer.json ?? null, { status });
  return new Response(answer.text, { status,
    headers: { "content-type": answer.type ?? "text/plain" } });
}

function toError(log: Log, thrown: unknown): Response {
  if (thrown instanceof Fault) {
    const { code, message, values } = thrown;
    return Response.json({ error: { code, message, values } }, { status: statusOf(thrown) });
  }
  if (thrown instanceof z.ZodError) {
    const message = thrown.issues.map(issueText).join("; ");
    return Response.json({ error: { code: "body", message, values: {} } }, { status: 400 });
  }
  log.error("api", "request failed", { reason: reason(thrown) });
  return Response.json({ error: { code: "internal", message: reason(thrown), values: {} } },
    { status: 500 });
}

const kinds: Readonly<Record<string, string>> = {
  string: "a text", number: "a number", boolean: "true or false", object: "an object",
  array: "a list",
};

/** What is wrong with a key of a body, and what would be right. */
function issueText(issue: z.core.$ZodIssue): string {
  const key = issue.path.join(".") || "the body";
  if (issue.code === "unrecognized_keys") return `${key}: unknown key ${issue.keys.join(", ")}`;
  if (issue.code === "too_small") return `${key}: is too small, or empty`;
  if (issue.code !== "invalid_type") return `${key}: ${issue.message}`;
  const wanted = kinds[issue.expected] ?? issue.expected;
  return issue.message.endsWith("received undefined") ? `${key}: is missing, ${wanted}`
    : `${key}: expected ${wanted}`;
}
