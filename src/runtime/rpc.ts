import { Fault, type FaultValues } from "../base.ts";

/**
 * Calls between `main` and a role's thread: queries of the API, arming, the store. Rows and
 * commands of rules never go this way.
 */
type Message =
  | { readonly rpc: "call"; readonly id: number; readonly name: string; readonly args: unknown[] }
  | { readonly rpc: "done"; readonly id: number; readonly value: unknown }
  | { readonly rpc: "failed"; readonly id: number; readonly code: string | null;
      readonly message: string; readonly values: FaultValues };

/** The part of a Worker, or of a worker's own scope, that messages go through. */
export interface Port {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => unknown) | null;
}

type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

interface Waiting {
  resolve(value: unknown): void;
  reject(why: Error): void;
}

/** Both sides at once: answers calls by `own`, and makes calls by `call`. */
export class Rpc {
  readonly #port: Port;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #ended: string | null = null;

  constructor(port: Port, own: Methods) {
    this.#port = port;
    port.onmessage = (event: MessageEvent<Message>) => void this.#take(event.data, own);
  }

  call(name: string, ...args: unknown[]): Promise<any> {
    if (this.#ended !== null) return Promise.reject(new Fault("role-ended", this.#ended));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#port.postMessage({ rpc: "call", id, name, args } satisfies Message);
    });
  }

  /** The other side is gone: what waits fails. */
  end(why: string): void {
    this.#ended = why;
    for (const { reject } of this.#waiting.values()) reject(new Fault("role-ended", why));
    this.#waiting.clear();
  }

  async #take(message: Message, own: Methods): Promise<void> {
    if (message.rpc === "call") return this.#answer(message, own);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.rpc === "done") return waiting?.resolve(message.value);
    const { code, message: text, values } = message;
    waiting?.reject(code === null ? new Error(text) : new Fault(code, text, values));
  }

  async #answer(message: Message & { rpc: "call" }, own: Methods): Promise<void> {
    const { id, name, args } = message;
    try {
      const value = await own[name]!(...(args as never[]));
      this.#port.postMessage({ rpc: "done", id, value } satisfies Message);
    } catch (thrown) {
      const fault = thrown instanceof Fault ? thrown : null;
      this.#port.postMessage({
        rpc: "failed", id, code: fault?.code ?? null, values: fault?.values ?? {},
        message: thrown instanceof Error ? thrown.message : String(thrown),
      } satisfies Message);
    }
  }
}
