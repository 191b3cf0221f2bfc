import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { flush_ms } from "../../src/store.ts";
import { questions } from "../../src/store/audit.ts";
import { World } from "./fixture.ts";

let world: World;
beforeEach(() => void (world = new World()));
afterEach(() => world.close());

/** The file as somebody else sees it. */
function rows(table: string, where = "1"): Record<string, unknown>[] {
  const db = new Database(join(world.directory, "store.sqlite"), { readonly: true });
  try {
    return db.query(`SELECT * FROM ${table} WHERE ${where} ORDER BY row`).all() as
      Record<string, unknown>[];
  } finally {
    db.close();
  }
}

const refusal = (code: string, time: number) => ({
  origin: "rule:hold", who: "", source: "", tag: "press.setpoint", code, sentence: `${code}.`, time,
  policyHash: "p", configHash: "c",
});

describe("W10 durable intent", () => {
  test("several intents are one commit, there before the frames leave", () => {
    const numbers = world.store.audit.intents([world.intent(), world.intent(), world.intent()])!;
    expect(numbers).toEqual([1, 2, 3]);
    expect(rows("attempts", "outcome IS NULL").length).toBe(3);
  });
  const traces = Bun.which("strace") !== null;
  test.skipIf(!traces)("the commit waits for the disk: synchronous=FULL in WAL", () => {
    // The pragma is per connection, so only the text of the system calls can tell.
    const script = `
      import { World } from ${JSON.stringify(join(import.meta.dir, "fixture.ts"))};
      const world = new World();
      process.stderr.write("BEFORE");
      world.store.audit.intents([world.intent()]);
      process.stderr.write("AFTER");
      world.close();`;
    const traced = Bun.spawnSync(["strace", "-f", "-e", "trace=fsync,fdatasync,write",
      process.execPath, "-e", script], { stderr: "pipe" });
    const text = traced.stderr.toString();
    expect(text.slice(text.indexOf("BEFORE"), text.indexOf("AFTER"))).toMatch(/fsync|fdatasync/);
  });
  test("all columns of W21", () => {
    const { audit } = world.store;
    const [row] = audit.intents([world.intent({ id: "a-1", origin: "rest", who: "panel",
      source: "10.0.0.9", asked: 62.04 })])!;
    world.now += 20;
    audit.outcomes([world.ending(row!)]);
    expect(rows("attempts")).toMatchObject([{
      verdict: "admitted", id: "a-1", origin: "rest", who: "panel", source: "10.0.0.9",
      tag: "press.setpoint", asked: "62.04", means: 62, words: Uint8Array.of(2, 0x6c),
      policy_hash: "p", config_hash: "c", read: 60, arming: 1, epoch: 1, monotonic: 1000,
      time: world.time - 20, not_after: world.time + 430, sent: world.time,
      frame: Uint8Array.of(1, 16), outcome: "verified", code: null, read_back: 62,
    }]);
    expect(audit.query()[0]!.frame).toBe("0110");
  });
});

describe("W15 intents without outcome", () => {
  test("at start they become unknown, and what is needed to settle them comes back", () => {
    const [first, second] = world.store.audit.intents([world.intent(), world.intent()])!;
    world.store.audit.outcomes([world.ending(first!)]);
    const store = world.crash();
    expect(store.abandoned).toMatchObject([
      { row: second!, tag: "press.setpoint", origin: "rule:hold", means: 62, read: 60 }]);
    expect(rows("attempts").map(({ outcome, code }) => [outcome, code]))
      .toEqual([["verified", null], ["unknown", "restart"]]);
    expect(world.crash().abandoned).toEqual([]);
  });
  test("W19: a loss that was kept ready is unknown too, and says what is not known", () => {
    world.store.audit.intents([world.intent(), world.intent({ origin: "onLoss:press.setpoint" })]);
    world.crash();
    const [write, loss] = rows("attempts");
    expect([write!["outcome"], loss!["outcome"]]).toEqual(["unknown", "unknown"]);
    expect(write!["sentence"]).not.toContain("fired");
    expect(loss!["sentence"]).toContain("whether it fired is not on record");
  });
  test("at a restart of control or of one link's worker", () => {
    const { audit } = world.store;
    const [ours, other] = audit.intents([world.intent(), world.intent({ tag: "oven.setpoint" })])!;
    expect(audit.abandon("The worker was restarted.", world.time, ["press.setpoint"])
      .map(({ row }) => row)).toEqual([ours!]);
    // An outcome that comes after all changes nothing: unknown stays unknown.
    audit.outcomes([world.ending(ours!), world.ending(other!)]);
    expect(rows("attempts").map(({ outcome }) => outcome)).toEqual(["unknown", "verified"]);
  });
});

describe("W17 ids", () => {
  test("are kept over restarts, refused ones too", () => {
    const { audit } = world.store;
    expect(audit.claim("a-1")).toBe("new");
    expect(audit.claim("a-1")).toBe("known");
    audit.intents([world.intent({ id: "a-1", origin: "rest" })]);
    expect(audit.claim("a-2")).toBe("new");
    audit.refusals([world.refusal({ id: "a-2" })]);
    expect(audit.claim("a-1")).toBe("known");
    const store = world.crash();
    expect(store.audit.claim("a-1")).toBe("known");
    expect(store.audit.claim("a-2")).toBe("known");
    expect(store.audit.claim("a-3")).toBe("new");
  });
  test("a rule's id is of another kind", () => {
    world.store.audit.intents([world.intent({ id: "hold/1/1" })]);
    expect(world.store.audit.claim("hold/1/1")).toBe("new");
  });
});

describe("W21 refusals", () => {
  test("of somebody outside are one durable row each", () => {
    for (let i = 0; i < 3; i++) world.store.audit.refusals([world.refusal()]);
    world.crash();
    expect(rows("attempts").map(({ verdict, outcome, code, asked }) =>
      [verdict, outcome, code, asked])).toEqual(
      Array.from({ length: 3 }, () => ["refused", "refused", "out-of-range", "200"]));
  });
  test("whatever was asked is kept as it came, cut to size", () => {
    const asked = [NaN, "62", null, undefined, { a: [1] }, "x".repeat(9999)];
    world.store.audit.refusals(asked.map((value) => world.refusal({ asked: value })));
    const kept = rows("attempts").map(({ asked }) => asked as string | null);
    expect(kept.slice(0, 5)).toEqual(["\"NaN\"", "\"62\"", "null", null, "{\"a\":[1]}"]);
    expect(kept[5]!.length).toBe(256);
  });
  test("of a rule are one row a change of code, with count, first, last", () => {
    const { audit } = world.store;
    const start = world.time;
    for (const [code, n] of [["shadow", 500], ["deadband", 3], ["shadow", 2]] as const) {
      for (let i = 0; i < n; i++) {
        audit.withheld(refusal(code, world.time));
        world.now += 10;
      }
    }
    expect(rows("withheld")).toEqual([]);
    audit.flush(true);
    expect(rows("withheld")).toMatchObject([
      { code: "shadow", count: 500, first: start, last: start + 4990 },
      { code: "deadband", count: 3, first: start + 5000, last: start + 5020 },
      { code: "shadow", count: 2, first: start + 5030, last: start + 5040 }]);
    // Going on in the same code raises the count of the row that is there.
    audit.withheld(refusal("shadow", world.time));
    audit.flush(true);
    expect(rows("withheld").map(({ count }) => count)).toEqual([500, 3, 3]);
  });
  test("what came from outside and is no command: one row a code and source, for ever few", () => {
    const { audit } = world.store;
    const start = world.time;
    const junk = (code: string, source: string, origin = "mqtt"): void => audit.withheld(
      { ...refusal(code, world.time), origin, who: "plant/write", source, tag: "" });
    for (let i = 0; i < 5000; i++) {
      junk(i % 2 === 0 ? "malformed" : "not-authenticated", "broker");
      world.now += 60;
    }
    junk("malformed", "other");
    audit.flush(true);
    const columns = ["origin", "who", "source", "code", "count", "first"] as const;
    const kept = rows("withheld").map((row) => columns.map((column) => row[column]));
    expect(kept).toEqual([
      ["mqtt", "plant/write", "broker", "malformed", 2500, start],
      ["mqtt", "plant/write", "broker", "not-authenticated", 2500, start + 60],
      ["mqtt", "plant/write", "other", "malformed", 1, world.time]]);
    expect(audit.query({ limit: 1 })[0]).toMatchObject({
      verdict: "withheld", origin: "mqtt", who: "plant/write", source: "other", tag: "" });
    // Whoever has any number of addresses does not fill the audit either.
    for (let i = 0; i < 1000; i++) junk("not-authenticated", `10.0.${i >> 8}.${i & 255}`, "rest");
    audit.flush(true);
    expect(rows("withheld").length).toBeLessThan(300);
    expect(rows("withheld", "source = 'other sources'")).toMatchObject([{ who: "" }]);
    const counts = rows("withheld", "origin = 'rest'").map(({ count }) => Number(count));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1000);
  });
  test("a store of an earlier version gets the columns that came later", () => {
    const db = new Database(join(world.directory, "store.sqlite"));
    for (const column of ["who", "source"]) db.run(`ALTER TABLE withheld DROP COLUMN ${column}`);
    db.close();
    const { audit } = world.crash();
    audit.withheld(refusal("shadow", world.time));
    audit.flush(true);
    expect(rows("withheld")).toMatchObject([{ code: "shadow", who: "", source: "" }]);
  });
  test("an admitted command ends the run of refusals", () => {
    const { audit } = world.store;
    audit.withheld(refusal("deadband", world.time));
    audit.intents([world.intent()]);
    audit.withheld(refusal("deadband", world.time));
    audit.flush(true);
    expect(rows("withheld").map(({ count }) => count)).toEqual([1, 1]);
  });
  test("an SD card survives a rule that swings between codes: rows and flushes are bounded", () => {
    const { audit } = world.store;
    const minutes = 10;
    for (let i = 0; i < minutes * 600; i++) {
      audit.withheld(refusal(i % 2 ? "deadband" : "too-soon", world.time));
      audit.flush(false);
      world.now += 100;
    }
    audit.flush(true);
    const kept = rows("withheld");
    expect(kept.length).toBeLessThanOrEqual(minutes * 10);
    expect(kept.reduce((sum, { count }) => sum + (count as number), 0)).toBe(minutes * 600);
  });
  test("the flush comes every ten seconds", () => {
    const { audit } = world.store;
    audit.flush(true);
    audit.withheld(refusal("shadow", world.time));
    world.now += flush_ms - 1;
    audit.flush(false);
    expect(rows("withheld").length).toBe(0);
    world.now += 1;
    audit.flush(false);
    expect(rows("withheld").length).toBe(1);
  });
});

test("writes a day and the last frame are counted from the audit", () => {
  const { audit } = world.store;
  expect(audit.writesSince("press.setpoint", 0)).toBe(0);
  expect(audit.lastSent("press.setpoint")).toBeNull();
  const early = world.time;
  const [row] = audit.intents([world.intent(), world.intent({ tag: "oven.setpoint" }),
    world.intent({ origin: "onLoss:press.setpoint" })])!;
  audit.outcomes([world.ending(row!)]);
  audit.refusals([world.refusal()]);
  world.now += 1000;
  audit.intents([world.intent()]);
  expect(audit.writesSince("press.setpoint", 0)).toBe(2);
  expect(audit.writesSince("press.setpoint", early + 1)).toBe(1);
  expect(world.crash().audit.writesSince("press.setpoint", 0)).toBe(2);
  // What the crash left open may have left until then.
  expect(world.store.audit.lastSent("press.setpoint")).toBe(world.time);
});

test("query: newest first, of a tag, since, limited; folded refusals among them", () => {
  const { audit } = world.store;
  const [row] = audit.intents([world.intent()])!;
  audit.outcomes([world.ending(row!)]);
  world.now += 10;
  audit.withheld(refusal("shadow", world.time));
  world.now += 10;
  audit.refusals([world.refusal({ tag: "oven.setpoint" })]);
  expect(audit.query().map(({ verdict }) => verdict)).toEqual(["refused", "withheld", "admitted"]);
  expect(audit.query({ tag: "press.setpoint" }).map(({ code }) => code)).toEqual(["shadow", null]);
  expect(audit.query({ since: world.time }).length).toBe(1);
  expect(audit.query({ limit: 2 }).length).toBe(2);
  expect(audit.query({ tag: "press.setpoint", limit: 1 })[0]).toMatchObject({
    verdict: "withheld", outcome: "refused", code: "shadow", count: 1 });
});

test.each(Object.entries(questions))("%s walks along an index, however large the audit is",
  (name, sql) => {
    const db = new Database(join(world.directory, "store.sqlite"), { readonly: true });
    const plan = db.query(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    db.close();
    const steps = plan.map(({ detail }) => detail);
    const tables = steps.filter((step) => /(?:attempts|withheld|ids|acts|armings)/.test(step));
    expect(tables.length).toBeGreaterThan(0);
    for (const step of tables) expect(step).toStartWith("SEARCH ");
    // Nothing is gone through or sorted but what a half with its limit has given.
    steps.forEach((step, i) => {
      if (step.startsWith("SCAN")) expect(step).toMatch(/^SCAN \(subquery-\d\)$/);
      if (step.includes("B-TREE")) expect(steps[i - 1]).toStartWith("SCAN (subquery");
    });
    if (name === "newestOfTag") {
      expect(tables.map((step) => /\((.*)\)/.exec(step)![1]))
        .toEqual(["tag=? AND time>?", "tag=? AND last>?", "alarm=? AND time>?",
          "tag=? AND begins>?", "tag=? AND ended>?"]);
    }
  });

test("W21: who armed, until when, and why that ended; what else a person did", () => {
  const { store } = world;
  const arm = (number: number): boolean => store.beginArming({
    number, tag: "press.setpoint", who: "anna", hash: "h", peer: "p", station: 1, at: "holding 0",
    type: "int16", wordOrder: "ABCD", scale: 1, offset: 0, policyHash: "p", configHash: "c",
    begins: world.time, until: world.time + 3_600_000 });
  const start = world.time;
  expect(arm(1)).toBe(true);
  world.now += 1000;
  store.audit.note({ origin: "mqtt", who: "bob", source: "broker", code: "disarmed",
    sentence: "bob disarmed.", asked: null, time: world.time, monotonic: world.now,
    policyHash: "p", configHash: "c" });
  world.now += 1;
  store.endArming(1, "disarmed by bob");
  world.now += 999;
  expect(arm(2)).toBe(true);
  world.now += 1000;
  const told = world.crash().audit.query();
  expect(told.map(({ verdict, code, who, origin, sentence, time, arming }) =>
    [time - start, verdict, code, who, origin, sentence, arming])).toEqual([
    [3000, "act", "arming-ended", "anna", "cli", "restart", 2],
    [2000, "act", "armed", "anna", "cli", "until 2026-03-01T13:00:03Z", 2],
    [1001, "act", "arming-ended", "anna", "cli", "disarmed by bob", 1],
    [1000, "act", "disarmed", "bob", "mqtt", "bob disarmed.", null],
    [0, "act", "armed", "anna", "cli", "until 2026-03-01T13:00:01Z", 1]]);
  expect(told.every(({ outcome }) => outcome === "done")).toBe(true);
  expect(world.store.audit.query({ tag: "press.setpoint" }).length).toBe(4);
});

test("the last act says whether an alarm is on the shelf, and until when", () => {
  const { audit } = world.store;
  const act = (alarm: string, what: "ack" | "shelve" | "unshelve", until: number): boolean =>
    audit.act({ alarm, act: what, until, origin: "cli", who: "ada", source: "socket",
      time: world.time, configHash: "c" });
  const now = world.time;
  expect([act("hot", "shelve", now + 500), act("hot.a", "shelve", now + 900), act("hot", "ack", 0),
    act("cold", "shelve", now + 100), act("hot.a", "shelve", now + 700),
    act("wet", "shelve", now + 999), act("wet", "unshelve", 0)]).not.toContain(false);
  expect(Object.fromEntries(audit.shelves(now + 200).map(({ alarm, until }) =>
    [alarm, until === 0 ? 0 : until - now]))).toEqual({ hot: 500, "hot.a": 700, wet: 0 });
  expect(audit.query({ tag: "wet" })[0]).toMatchObject({ verdict: "act", outcome: "unshelve",
    who: "ada", asked: null });
});

describe("rows that a person has deleted", () => {
  const pruneAll = (before: number): number => {
    let gone = 0;
    for (let some = -1; some !== 0; gone += some) some = world.store.audit.prune(before)!;
    return gone;
  };
  test("W17: their ids from outside are never taken again, also after a restart", () => {
    const { audit } = world.store;
    const [written] = audit.intents([world.intent({ id: "w-1", origin: "rest" })])!;
    audit.outcomes([world.ending(written!)]);
    audit.refusals([world.refusal({ id: "r-1", origin: "mqtt" })]);
    world.now += 1000;
    const [later] = audit.intents([world.intent({ id: "w-2", origin: "rest" })])!;
    audit.outcomes([world.ending(later!)]);
    expect(pruneAll(world.time)).toBe(2);
    expect(rows("attempts").map(({ id }) => id)).toEqual(["w-2"]);
    for (const id of ["w-1", "r-1", "w-2"]) expect(audit.claim(id)).toBe("known");
    const again = world.crash().audit;
    for (const id of ["w-1", "r-1", "w-2"]) expect(again.claim(id)).toBe("known");
    expect(again.claim("w-3")).toBe("new");
  });
  test("an intent without outcome and each tag's last frame stay", () => {
    const { audit } = world.store;
    const ended = audit.intents(["a.x", "a.x", "b.x"].map((tag) => world.intent({ tag })))!;
    audit.outcomes(ended.map((row, i) => world.ending(row, { sent: world.time + i })));
    const [, , c] = [...ended, ...audit.intents([world.intent({ tag: "c.x" })])!];
    world.now += 5000;
    const times = [audit.lastSent("a.x"), audit.lastSent("b.x")];
    pruneAll(world.time);
    expect([audit.lastSent("a.x"), audit.lastSent("b.x")]).toEqual(times);
    expect(rows("attempts", "outcome IS NULL").length).toBe(1);
    expect(c).toBeDefined();
  });
});

describe("a full file", () => {
  test("stops intents, still takes the outcomes of what was admitted, comes back by itself", () => {
    world.close();
    world = new World(1);
    const { audit } = world.store;
    const admitted: number[] = [];
    while (audit.unavailable === null) {
      const taken = audit.intents(Array.from({ length: 20 }, () => world.intent()));
      if (taken !== null) admitted.push(...taken);
    }
    expect(audit.unavailable).toContain("the audit is full");
    expect(admitted.length).toBeGreaterThan(500);
    expect(audit.intents([world.intent()])).toBeNull();
    expect(audit.unavailable).toContain("--prune-before");
    // The kept-back pages are for outcomes: refusals of outside commands wait, their ids are known.
    audit.refusals(Array.from({ length: 500 }, (_, i) => world.refusal({ id: `late-${i}` })));
    audit.outcomes(admitted.slice(-20).map((row) => world.ending(row)));
    expect(rows("attempts", "outcome = 'verified'").length).toBe(20);
    expect(rows("attempts", "verdict = 'refused'")).toEqual([]);
    world.now += 1000;
    world.store.step();
    expect(audit.unavailable).toContain("the audit is full");
    expect(audit.intents([world.intent()])).toBeNull();
    // Nothing of it was given up; a person prunes.
    expect(rows("attempts").length).toBe(admitted.length);
    audit.outcomes(admitted.slice(0, -20).map((row) => world.ending(row)));
    world.now += 86_400_000;
    let gone = 0;
    for (let some = -1; some !== 0; gone += some) some = audit.prune(world.time - 1000)!;
    // All but the tag's last frame, from which the minimum interval is counted.
    expect(gone).toBe(admitted.length - 1);
    world.store.step();
    expect(audit.unavailable).toBeNull();
    expect(rows("attempts", "verdict = 'refused'").length).toBe(500);
    expect(audit.intents([world.intent()])).not.toBeNull();
  });
  test("gives up the oldest folded refusals of rules first, and counts them", () => {
    world.close();
    world = new World(1);
    const { audit } = world.store;
    for (let i = 0; i < 4000; i++) {
      const sentence = "x".repeat(100);
      audit.withheld({ ...refusal("shadow", world.time), tag: `t.${i}`, sentence });
    }
    audit.flush(true);
    const before = rows("withheld").length;
    while (rows("withheld").length === before) {
      expect(audit.intents(Array.from({ length: 50 }, () => world.intent()))).not.toBeNull();
    }
    const kept = rows("withheld");
    expect(kept.length).toBeLessThan(before);
    expect(kept[0]!["tag"]).not.toBe("t.0");
    const db = new Database(join(world.directory, "store.sqlite"), { readonly: true });
    expect(db.query("SELECT value FROM meta WHERE key = 'trimmed'").get())
      .toEqual({ value: before - kept.length });
    db.close();
  });
});
