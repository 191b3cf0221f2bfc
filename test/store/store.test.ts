import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockFile } from "../../src/base/os.ts";
import { latchFile, lockHolder, openStore, type Proof } from "../../src/store.ts";
import { World } from "./fixture.ts";

let world: World;
beforeEach(() => void (world = new World()));
afterEach(() => world.close());

describe("W23 one writer a machine", () => {
  test("a second instance in another process is refused with the pid of the first", async () => {
    const directory = join(world.directory, "locked");
    const options = { maxMB: 8, stateMB: 8, now: () => 0, time: () => 0, lock: lockFile };
    const first = openStore(directory, options);
    expect(lockHolder(directory)).toBe(process.pid);
    const script = `
      import { openStore } from ${JSON.stringify(join(import.meta.dir, "../../src/store.ts"))};
      import { lockFile } from ${JSON.stringify(join(import.meta.dir, "../../src/base/os.ts"))};
      const options = { maxMB: 8, stateMB: 8, now: () => 0, time: () => 0, lock: lockFile };
      try { openStore(process.argv[1], options); console.log("opened"); }
      catch (fault) { console.log(fault.code, fault.values.pid); }`;
    const second = async (): Promise<string> => {
      const child = Bun.spawn([process.execPath, "-e", script, directory], { stdout: "pipe" });
      const [text] = await Promise.all([new Response(child.stdout).text(), child.exited]);
      return text.trim();
    };
    expect(await second()).toBe(`store-locked ${process.pid}`);
    first.close();
    expect(lockHolder(directory)).toBeNull();
    expect(await second()).toBe("opened");
    // It ended without closing, as by kill -9: its pid is no holder.
    expect(lockHolder(directory)).toBeNull();
  });
  test("a pid that came round again is not the holder", () => {
    const text = readFileSync(join(world.directory, "lock"), "utf8");
    expect(lockHolder(world.directory)).toBe(process.pid);
    writeFileSync(join(world.directory, "lock"), text.replace(/ \d+ /, " 1 "));
    expect(lockHolder(world.directory)).toBeNull();
  });
  test("a directory that was never used has no holder", () => {
    expect(lockHolder(join(world.directory, "nothing"))).toBeNull();
  });
});

describe("W4 the latch file", () => {
  test("outlasts everything but clear, needs no store", () => {
    const directory = join(world.directory, "not", "yet");
    const latch = latchFile(directory);
    expect(latch.read()).toBeNull();
    latch.set("anna");
    expect(latchFile(directory).read()).toBe("anna");
    latch.set("ben");
    expect(latch.read()).toBe("ben");
    latch.clear();
    latch.clear();
    expect(latch.read()).toBeNull();
    expect(world.store.latch.read()).toBeNull();
  });
  test("a file that says nothing sensible is a latch all the same", () => {
    for (const text of ["", "{", "[]", "{\"by\": 7}", "null"]) {
      writeFileSync(join(world.directory, "latch"), text);
      expect(world.store.latch.read()).toContain("somebody");
    }
  });
});

describe("starts, epoch, good pair, proofs", () => {
  test("the epoch is raised at each start", () => {
    expect(world.store.epoch).toBe(1);
    world.store.close();
    expect(world.open().epoch).toBe(2);
    expect(world.crash().epoch).toBe(3);
  });
  test("starts count until they are cleared (safe mode)", () => {
    expect(world.store.recordStart()).toBe(1);
    expect(world.crash().recordStart()).toBe(2);
    expect(world.crash().recordStart()).toBe(3);
    world.store.clearStarts();
    world.store.close();
    expect(world.open().recordStart()).toBe(1);
  });
  test("the last good pair comes back together (W5)", () => {
    expect(world.store.lastGood).toBeNull();
    const pair = { config: "{}", policy: "{ }", configHash: "c", policyHash: "p" };
    expect(world.store.saveGood({ ...pair, config: "old" })).toBe(true);
    expect(world.store.saveGood(pair)).toBe(true);
    expect(world.crash().lastGood).toEqual(pair);
  });
  test("W2 a proof is kept with its hash", () => {
    const proof: Proof =
      { tag: "press.setpoint", hash: "h", peer: "plc:502", words: "02 6c", who: "anna", time: 5 };
    expect(world.store.proof(proof.tag)).toBeNull();
    world.store.saveProof({ ...proof, hash: "before" });
    world.store.saveProof(proof);
    expect(world.crash().proof(proof.tag)).toEqual(proof);
  });
  test("W3 arming numbers rise for ever, and a restart ends every arming", () => {
    const row = {
      tag: "press.setpoint", who: "anna", hash: "h", peer: "plc:502", station: 1, at: "holding 9",
      type: "int16", wordOrder: "ABCD", scale: 0.1, offset: 0, policyHash: "p", configHash: "c",
      begins: world.time, until: world.time + 1000,
    };
    expect(world.store.nextArming()).toBe(1);
    expect(world.store.beginArming({ ...row, number: 1 })).toBe(true);
    expect(world.store.nextArming()).toBe(2);
    const again = world.crash();
    expect(again.nextArming()).toBe(3);
    const open = Bun.spawnSync(["python3", "-c", `
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT why, ended IS NOT NULL FROM armings").fetchall())
`, join(world.directory, "store.sqlite")]);
    expect(open.stdout.toString().trim()).toBe("[('restart', 1)]");
  });
});

describe("a disk that refuses", () => {
  test("W10 at start: the store opens without, and comes back by itself", () => {
    world.store.close();
    rmSync(world.directory, { recursive: true });
    mkdirSync(world.directory);
    // A directory in the database's place is what cannot be opened, also for root.
    mkdirSync(join(world.directory, "store.sqlite"));
    const store = world.open();
    expect(store.audit.unavailable).toContain("SQLITE_CANTOPEN");
    expect(store.epoch).toBe(0);
    expect(store.nextArming()).toBeNull();
    expect(store.audit.intents([world.intent()])).toBeNull();
    // W17: nothing is known of a fresh id; that is not the same as knowing it.
    expect(store.audit.claim("r-0")).toBe("unknown");
    store.audit.refusals([world.refusal({ id: "r-1" })]);
    rmSync(join(world.directory, "store.sqlite"), { recursive: true });
    world.now += 10;
    store.step();
    expect(store.audit.unavailable).not.toBeNull();
    world.now += 1000;
    store.step();
    expect(store.audit.unavailable).toBeNull();
    expect(store.epoch).toBe(1);
    expect(store.audit.seen("r-1")).toBe(true);
    expect(store.audit.claim("r-0")).toBe("new");
  });
  test("W10 a disk that is full in the middle: what was admitted keeps its outcome", () => {
    const { audit } = world.store;
    const [row] = audit.intents([world.intent()])!;
    // More than the whole file may hold: SQLite answers SQLITE_FULL, as on a full disk.
    const pair = { config: "x".repeat(9 << 20), policy: "", configHash: "", policyHash: "" };
    expect(world.store.saveGood(pair)).toBe(false);
    expect(audit.unavailable).toContain("SQLITE_FULL");
    expect(audit.intents([world.intent()])).toBeNull();
    audit.outcomes([world.ending(row!)]);
    audit.refusals([world.refusal({ id: "r-1" })]);
    expect(audit.query().map(({ outcome }) => outcome)).toEqual([null]);
    world.now += 1000;
    world.store.step();
    expect(audit.unavailable).toBeNull();
    expect(audit.query().map(({ outcome }) => outcome)).toEqual(["refused", "verified"]);
  });
  test("a directory that cannot be made is a fault", () => {
    writeFileSync(join(world.directory, "file"), "");
    const options = { maxMB: 8, stateMB: 8, now: () => 0, time: () => 0, lock: () => () => {} };
    const below = join(world.directory, "file", "store");
    expect(() => openStore(below, options)).toThrow("cannot be made");
    expect(() => openStore(world.directory, { ...options, maxMB: 0.5 })).toThrow("maxMB");
  });
  test("the store is not for others to read", () => {
    const directory = join(world.directory, "own");
    const options = { maxMB: 8, stateMB: 8, now: () => 0, time: () => 0, lock: () => () => {} };
    openStore(directory, options).close();
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });
});
