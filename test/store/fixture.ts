import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  openStore, type Ending, type Intent, type RefusedAttempt, type Store,
} from "../../src/store.ts";

/** A store whose clock stands until it is moved, in a directory that `close` removes. */
export class World {
  readonly directory = mkdtempSync(join(tmpdir(), "tagwerk-store-"));
  now = 1000;
  readonly epochStart = Date.parse("2026-03-01T12:00:00Z");
  store: Store;
  #locked = false;

  constructor(maxMB = 8) {
    this.store = this.open(maxMB);
  }

  get time(): number {
    return this.epochStart + this.now;
  }

  open(maxMB = 8): Store {
    this.store = openStore(this.directory, {
      maxMB, stateMB: 8, now: () => this.now, time: () => this.time,
      lock: () => {
        if (this.#locked) return null;
        this.#locked = true;
        return () => void (this.#locked = false);
      },
    });
    return this.store;
  }

  /** As after a power cut: nothing is closed in order, the lock is gone with the process. */
  crash(maxMB = 8): Store {
    this.#locked = false;
    return this.open(maxMB);
  }

  close(): void {
    this.store.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  intent(over: Partial<Intent> = {}): Intent {
    return {
      id: `hold/1/${++this.#ids}`, origin: "rule:hold", who: "hold", source: "",
      tag: "press.setpoint", asked: 62.04, policyHash: "p", configHash: "c", received: this.time,
      time: this.time, monotonic: this.now, means: 62, clamped: false,
      words: Uint8Array.of(2, 0x6c), inputs: { oldest: this.time - 50, state: 0, flags: 0 },
      permit: [{ condition: "press.door_closed", value: true, time: this.time - 20 }], read: 60,
      arming: 1, notAfter: this.time + 450, ...over,
    };
  }
  #ids = 0;

  refusal(over: Partial<RefusedAttempt> = {}): RefusedAttempt {
    const { id, tag, policyHash, configHash, received, time, monotonic } = this.intent();
    return {
      id, tag, policyHash, configHash, received, time, monotonic, origin: "rest", who: "panel",
      source: "10.0.0.9", asked: 200, code: "out-of-range", sentence: "200 is outside 20 to 80.",
      ...over,
    };
  }

  ending(row: number, over: Partial<Ending> = {}): Ending {
    return {
      row, sent: this.time, frame: Uint8Array.of(1, 16), outcome: "verified", code: null,
      sentence: null, exception: 0, readBack: 62, time: this.time, ...over,
    };
  }
}
