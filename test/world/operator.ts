import type { Random } from "../../src/base.ts";
import type { WriteAnswer } from "../../src/runtime.ts";
import type { GatewayProcess } from "./process.ts";
import { broadcast, targets } from "./site.ts";
import type { World } from "./world.ts";

/** How often a person looks whether everything is armed (ms). */
const look_ms = 1000;
const minute_ms = 60_000;

const anna = { by: "anna", origin: "cli", from: "socket" } as const;

/** The people and programs around the gateway: they arm, write, order and disarm. */
export class Operator {
  /** Commands from outside, and what became of them. */
  readonly answers = new Map<string, number>();
  /** Where a disarm is under way. */
  #disarming: GatewayProcess | null = null;
  #commands = 0;
  #orders = 0;
  readonly #world: World;
  readonly #random: Random;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  start(until: number): void {
    this.#often(look_ms, until, () => this.#look());
    this.#often(900, until, () => this.#write());
    this.#often(1300, until, () => this.#command());
    // Data of the MES comes in bursts.
    this.#often(200, until, () => this.#world.broker.publishNumber());
    this.#often(150, until, () => {
      const burst = this.#random.chance(0.05) ? 300 : 1;
      for (let i = 0; i < burst; i++) {
        this.#world.broker.publish({ n: ++this.#orders, amount: this.#orders / 2 });
      }
    });
  }

  /** W4: from this moment on nothing may leave, until somebody lifts it. */
  disarm(): boolean {
    const { process } = this.#world;
    const { runtime } = process;
    if (runtime === null) return false;
    this.#disarming = process;
    process.main.post(0.1, () => void runtime.disarm(anna).then(() => {
      this.#world.disarmedAt = this.#world.timeline.now;
    }, (thrown: unknown) => this.#note(`disarm ${String(thrown)}`)).finally(() => {
      this.#disarming = null;
    }));
    return true;
  }

  #look(): void {
    const { process } = this.#world;
    const { runtime } = process;
    if (runtime === null) return;
    process.main.post(0.1, () => void runtime.health().then(({ writing }) => {
      // Somebody disarmed, and somebody else has looked whether all is well.
      if (writing.latched && this.#disarming !== process && this.#random.chance(0.5)) {
        this.#world.disarmedAt = Infinity;
        return void runtime.disarm({ ...anna, clear: true });
      }
      if (writing.latched) return;
      for (const [tag, origin] of Object.entries(targets)) {
        // Who sees that a rule yields to a person's write (W16) arms it again.
        const again = origin !== null && this.#random.chance(0.3);
        const isArmed = writing.armed.includes(tag);
        if (!this.#world.quiet && this.#random.chance(isArmed ? 0.02 : 0.3)) void this.#prove(tag);
        else if (again || !isArmed) void this.#arm(tag);
      }
    }));
  }

  async #arm(tag: string): Promise<void> {
    const { process } = this.#world;
    const runtime = process.runtime!;
    try {
      const { hash } = await runtime.proof(tag, tag === broadcast.tag ? 10 : null);
      await runtime.arm({ tag, for_ms: 30 * minute_ms, by: "anna", proof: hash });
      this.#note("armed");
    } catch (thrown) {
      // A link is down, the disk is full, somebody disarmed: the next look tries again.
      this.#note(`not armed: ${(thrown as { code?: string }).code ?? String(thrown)}`);
    }
  }

  /** By writing what stands there; of a tag that is armed it is refused. */
  async #prove(tag: string): Promise<void> {
    const runtime = this.#world.process.runtime!;
    const id = this.#id();
    try {
      const { hash } = await runtime.proof(tag, null);
      const { outcome, code } = await runtime.prove({ id, tag, by: "anna", proof: hash });
      this.#note(`proof ${outcome === "refused" ? code : outcome}`);
    } catch (thrown) {
      this.#note(`not proved: ${(thrown as { code?: string }).code ?? String(thrown)}`);
    }
  }

  /** By REST or the command line. */
  #write(): void {
    const { process } = this.#world;
    const { runtime } = process;
    if (runtime === null) return;
    const origin = this.#random.pick(["rest", "cli"] as const);
    const body = { id: this.#id(), tag: this.#tag(), value: this.#value(), within: "2s" };
    process.main.post(0.1, () => void runtime.write({
      origin, by: "mes", from: "10.0.0.9", body,
    }).then((answer) => this.#answered(body.id, answer)));
  }

  /** By MQTT: some come twice, some are old, some are retained. */
  #command(): void {
    const { broker, timeline } = this.#world;
    const id = this.#id();
    const deadline = this.#world.wall() + (this.#random.chance(0.1) ? -100 : 4000);
    const text = JSON.stringify({ id, tag: this.#tag(), value: this.#value(), deadline });
    const send = (retained: boolean, duplicate: boolean): void =>
      broker.command(id, { text, retained, duplicate }, (reply) =>
        this.#answered(id, JSON.parse(reply)));
    send(this.#random.chance(0.1), false);
    if (this.#random.chance(0.2)) {
      timeline.after(this.#random.below(2000), () => send(false, this.#random.chance(0.5)));
    }
  }

  #tag(): string {
    const odd = this.#random.chance(0.3) && !this.#world.quiet;
    return this.#random.pick(odd ? ["press.setpoint", "drive-1.target", "press.nothing"]
      : ["press.manual", "drive-2.target", broadcast.tag]);
  }

  #value(): number {
    return this.#random.chance(0.1) ? 500 : this.#random.below(1000) / 10;
  }

  #id(): string {
    return `c-${++this.#commands}`;
  }

  #answered(id: string, { outcome, code }: WriteAnswer): void {
    const word = outcome === "refused" ? `refused ${code}` : outcome;
    this.#world.trace.add(this.#world.timeline.now, "answer", `${id} ${word}`);
    this.#note(word);
  }

  #note(word: string): void {
    this.answers.set(word, (this.answers.get(word) ?? 0) + 1);
  }

  #often(ms: number, until: number, what: () => void): void {
    const { timeline } = this.#world;
    const again = (): void => {
      if (timeline.now > until) return;
      what();
      timeline.after(ms * (0.5 + this.#random.next()), again);
    };
    timeline.after(ms, again);
  }
}
