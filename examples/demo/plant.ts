import { closeSync, openSync, readSync } from "node:fs";

/** The simulator's control channel: a line out, a JSON object back, in order. */
export class PlantControl {
  readonly #socket: Bun.Socket;
  readonly #waiting: Waiting[];

  private constructor(socket: Bun.Socket, waiting: Waiting[]) {
    this.#socket = socket;
    this.#waiting = waiting;
  }

  static async connect(path: string): Promise<PlantControl> {
    const waiting: Waiting[] = [];
    let text = "";
    const socket = await Bun.connect({
      unix: path,
      socket: {
        data(_socket, bytes) {
          const lines = (text + bytes.toString()).split("\n");
          text = lines.pop()!;
          for (const line of lines) waiting.shift()?.resolve(JSON.parse(line) as Answer);
        },
        close() {
          for (const { reject } of waiting.splice(0)) reject(new Error("the simulator is gone"));
        },
      },
    });
    return new PlantControl(socket, waiting);
  }

  async ask(line: string): Promise<Answer> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`${line}\n`);
    });
    if (!answer.ok) throw new Error(`${line}: ${answer.error}`);
    return answer;
  }

  /** What really is, without the sensor's noise. */
  async truth(tag: string): Promise<number> {
    return (await this.ask(`get ${tag}`)).truth!;
  }

  close(): void {
    this.#socket.end();
  }
}

interface Waiting {
  resolve(answer: Answer): void;
  reject(why: Error): void;
}

interface Answer {
  readonly ok: boolean;
  readonly error?: string;
  readonly truth?: number;
}

interface Frame {
  readonly link: string;
  readonly dir: string;
  readonly bytes: string;
  readonly valid: boolean;
  readonly fault: string | null;
}

const write_multiple_registers = "10";
/** In hexadecimal digits: transaction, protocol and length of 2 bytes each, and the station. */
const function_at = 14;

/** Counts the writes that reached the simulator, from its frame log, as the log grows. */
export class WriteCounter {
  writes = 0;
  readonly #file: number;
  readonly #link: string;
  #rest = "";
  readonly #chunk = Buffer.alloc(1 << 16);

  constructor(frameLog: string, link: string) {
    this.#file = openSync(frameLog, "r");
    this.#link = link;
  }

  read(): void {
    for (let n: number; (n = readSync(this.#file, this.#chunk)) > 0;) {
      const lines = (this.#rest + this.#chunk.toString("latin1", 0, n)).split("\n");
      this.#rest = lines.pop()!;
      for (const line of lines) this.#count(JSON.parse(line) as Frame);
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #count({ link, dir, bytes, valid, fault }: Frame): void {
    if (link !== this.#link || dir !== "in" || !valid || fault !== null) return;
    const code = bytes.slice(function_at, function_at + 2);
    if (code === write_multiple_registers) this.writes += 1;
  }
}
