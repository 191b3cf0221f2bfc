import { Fault, limits, parseJson, reason } from "../../base.ts";
import type { Answer, Lookup, TableShape } from "../../connector.ts";
import type { CellValue } from "../../ring.ts";

export interface Request {
  readonly url: string;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly method?: string;
  readonly body?: string | undefined;
}

/** Requests of one question that are under way at a time. */
const requests_max = 8;

/** The address without what may be a secret in it. */
function shown(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** The body of an answer, of bounded length; null for 404. */
export async function fetchBody(
  { url, token, headers = {}, method = "GET", body }: Request, bytes_max: number,
  abort: AbortSignal,
): Promise<Uint8Array | null> {
  const answer = await fetch(url, {
    signal: abort, method, ...(body === undefined ? {} : { body }),
    headers: { accept: "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
  });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Fault("http-status", `${shown(url)} answers ${answer.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > bytes_max) {
      throw new Fault("http-size", `${shown(url)} answers more than ${bytes_max} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** JSON objects of a web service by key, one request a key; or all at once, as an array. */
export class HttpTable implements Lookup {
  readonly #request: Request;
  readonly #shape: TableShape;

  constructor(request: Request, shape: TableShape) {
    this.#request = request;
    this.#shape = shape;
  }

  async ask(keys: readonly CellValue[], abort: AbortSignal): ReturnType<Lookup["ask"]> {
    const answers: (Answer | null | Fault)[] = [];
    for (let i = 0; i < keys.length; i += requests_max) {
      answers.push(...await Promise.all(keys.slice(i, i + requests_max)
        .map((key) => this.#one(key, abort))));
    }
    return answers;
  }

  async list(most: number, abort: AbortSignal): Promise<readonly Answer[]> {
    const body = await fetchBody(this.#request, limits.body_bytes_max, abort);
    if (body === null) throw new Fault("http-status", `${shown(this.#request.url)} answers 404`);
    const rows = parseJson(new TextDecoder().decode(body));
    if (!Array.isArray(rows) || !rows.every(isObject)) {
      throw new Fault("table-value", `${shown(this.#request.url)}: no array of JSON objects`);
    }
    if (rows.length > most) {
      throw new Fault("table-rows", `${rows.length} rows, where the table has room for ${most}`);
    }
    return rows.map((row) => this.#shape.columns.map(({ name }) => row[name]));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #one(key: CellValue, abort: AbortSignal): Promise<Answer | null | Fault> {
    const url = this.#request.url.replaceAll("{key}", encodeURIComponent(String(key)));
    const body = await fetchBody({ ...this.#request, url }, limits.body_bytes_max, abort);
    if (body === null) return null;
    try {
      const row = parseJson(new TextDecoder().decode(body));
      if (!isObject(row)) throw new Error("no JSON object");
      return this.#shape.columns.map(({ name }) =>
        (name === this.#shape.key ? key : row[name]));
    } catch (thrown) {
      return new Fault("table-value", `${shown(url)}: ${reason(thrown)}`);
    }
  }
}
