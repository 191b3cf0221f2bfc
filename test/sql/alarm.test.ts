import { describe, expect, test } from "bun:test";
import { compile } from "../../src/sql.ts";
import { Bench, catalog, type Given } from "./bench.ts";

const hour = 3_600_000;

/** An alarm of the column b, on rows 1 s apart. */
class Alarm extends Bench {
  constructor(delays = "0, 0", over = "") {
    super(`alarm(b, ${delays}, 'hot')${over}`);
  }

  /** State and quality after each row. */
  rows(...conditions: readonly Given[]): string[] {
    return conditions.map((b) => this.state({ b }));
  }

  state(values: Record<string, Given>): string {
    return this.row({ a: 1, ...values }).split(" ").slice(0, 2).join(" ");
  }

  ack(key: string | null = null): string | null | undefined {
    const state = this.alarms[0]!.acknowledge("hot", key, this.time);
    return state && state.state;
  }

  shelve(for_ms: number, key: string | null = null): string | undefined {
    return this.alarms[0]!.shelve("hot", key, for_ms === 0 ? 0 : this.time + for_ms, this.time)
      ?.state;
  }
}

describe("ISA-18.2: what becomes of an alarm", () => {
  test("it comes, is acknowledged, and goes", () => {
    const alarm = new Alarm();
    expect(alarm.rows(false, true)).toEqual(["normal good", "unacknowledged good"]);
    expect(alarm.ack()).toBe("acknowledged");
    expect(alarm.rows(true, false)).toEqual(["acknowledged good", "normal good"]);
  });

  test("gone before somebody has seen it, it waits for that", () => {
    const alarm = new Alarm();
    expect(alarm.rows(true, false, false).at(-1)).toBe("returned good");
    expect(alarm.ack()).toBe("normal");
    expect(alarm.rows(false)).toEqual(["normal good"]);
  });

  test("it comes again, and must be acknowledged again", () => {
    const alarm = new Alarm();
    expect(alarm.rows(true, false, true).at(-1)).toBe("unacknowledged good");
    alarm.ack();
    expect(alarm.rows(false, true)).toEqual(["normal good", "unacknowledged good"]);
  });

  test("there is nothing to acknowledge where it is normal, or is so already", () => {
    const alarm = new Alarm();
    alarm.rows(false);
    expect(alarm.ack()).toBeNull();
    alarm.rows(true);
    alarm.ack();
    expect(alarm.ack()).toBeNull();
  });

  test("on the shelf it says so, works on beneath, and comes off by itself", () => {
    const alarm = new Alarm();
    alarm.rows(false);
    expect(alarm.shelve(2000)).toBe("shelved");
    expect(alarm.rows(true, true, true)).toEqual(["shelved good", "unacknowledged good",
      "unacknowledged good"]);
    expect(alarm.shelve(hour)).toBe("shelved");
    expect(alarm.rows(false)).toEqual(["shelved good"]);
    expect(alarm.alarms[0]!.list(alarm.time)).toEqual([{ name: "hot", key: null, state: "shelved",
      since: 5000, shelvedUntil: 4000 + hour }]);
    expect(alarm.shelve(0)).toBe("returned");
  });
});

describe("delays", () => {
  test("it comes after on_delay without a break, and goes after off_delay", () => {
    const alarm = new Alarm("2s, 2s");
    expect(alarm.rows(true, true, false, true, true, true)).toEqual([
      ...Array.from({ length: 5 }, () => "normal good"), "unacknowledged good"]);
    alarm.ack();
    expect(alarm.rows(false, true, false, false, false)).toEqual([
      ...Array.from({ length: 4 }, () => "acknowledged good"), "normal good"]);
  });

  test("while the condition is not known it stays, uncertain, and delays begin anew", () => {
    const alarm = new Alarm("2s, 0");
    expect(alarm.rows(true, true, "bad", true, true, true)).toEqual(["normal good", "normal good",
      "normal uncertain:skipped", "normal good", "normal good", "unacknowledged good"]);
    expect(alarm.rows("bad", false)).toEqual(["unacknowledged uncertain:skipped", "returned good"]);
    expect(new Alarm("-1, 0").rows(true)).toEqual(["error:argument 0"]);
  });
});

test("each key is an alarm of its own", () => {
  const alarm = new Alarm("0, 0", " OVER (PARTITION BY t, a KEYS 2)");
  const of = (t: string | "bad", b: boolean): string => alarm.state({ t, b });
  expect([of("p", true), of("q", true), of("r", true)]).toEqual(["unacknowledged good",
    "unacknowledged good", "null 0"]);
  expect(alarm.ack()).toBeUndefined();
  expect(alarm.ack("r.1")).toBeUndefined();
  expect(alarm.ack("q.1")).toBe("acknowledged");
  expect([of("p", true), of("q", true)]).toEqual(["unacknowledged good", "acknowledged good"]);
  expect(alarm.alarms[0]!.list(alarm.time).map(({ key }) => key)).toEqual(["p.1", "q.1"]);
  alarm.shelve(hour, "p.1");
  expect([of("p", false), of("q", false)]).toEqual(["shelved good", "normal good"]);
});

test.each(["''", "'a.b'", "t", "'' || 'a'", "NULL"])("%s is no name of an alarm", (name) => {
  expect(() => compile(`SELECT alarm(b, 0, 0, ${name}) AS y FROM s`, catalog)).toThrow();
});
