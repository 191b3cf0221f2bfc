import { describe, expect, test } from "bun:test";
import { Fault, limits } from "../../src/base.ts";
import { Commands, type FromTopic } from "../../src/runtime/commands.ts";

const { commands_waiting_max, commands_per_turn_max, commands_rest_ms } = limits;

/** The queue of one topic between a client and `main`, both under the test's hand. */
class Desk {
  readonly asked: FromTopic[] = [];
  readonly answers: string[] = [];
  wakes = 0;
  /** What `main` still owes: called with an answer, or with what went wrong. */
  readonly open: PromiseWithResolvers<string>[] = [];
  readonly queue = new Commands({
    ask: (message) => {
      this.asked.push(message);
      const answer = Promise.withResolvers<string>();
      this.open.push(answer);
      return answer.promise;
    },
    answer: (text) => this.answers.push(text),
    wake: () => { this.wakes += 1; },
    pause: (ms) => {
      expect(ms).toBe(commands_rest_ms);
      const rest = Promise.withResolvers<void>();
      this.rest = rest.resolve;
      return rest.promise;
    },
  });
  /** Ends the rest after a disarm. */
  rest = (): void => {};

  arrive(text: string): void {
    this.queue.arrived({ text, retained: false, duplicate: false });
  }

  /** One turn that took so long; when the next is wanted. */
  turn(now: number, took = 0): number {
    this.queue.step(now);
    return this.queue.rest(now, now + took);
  }

  async answerAll(): Promise<void> {
    for (const { resolve } of this.open.splice(0)) resolve("done");
    await Bun.sleep(0);
  }
}

describe("W17 a flood on the command topic", () => {
  test("a few a turn, then a rest as long as the turn; what does not fit is counted", async () => {
    const desk = new Desk();
    for (let i = 0; i < commands_waiting_max + 700; i++) desk.arrive("junk");
    expect(desk.queue.dropped).toBe(700);
    expect(desk.asked).toEqual([]);
    expect(desk.turn(1000)).toBe(1000 + commands_rest_ms);
    expect(desk.asked.length).toBe(commands_per_turn_max);
    // Polls make turns all the time.
    expect(desk.turn(1001)).toBe(1000 + commands_rest_ms);
    expect(desk.asked.length).toBe(commands_per_turn_max);
    // The commits of this turn took a while: the machine is polled as long.
    expect(desk.turn(1000 + commands_rest_ms, 400)).toBe(1000 + commands_rest_ms + 800);
    expect(desk.asked.length).toBe(2 * commands_per_turn_max);
    desk.arrive("there is room again");
    expect(desk.queue.dropped).toBe(700);
    await desk.answerAll();
    expect(desk.answers.length).toBe(2 * commands_per_turn_max);
  });

  test("one alone is taken at once", () => {
    const desk = new Desk();
    desk.arrive('{"id":"a"}');
    expect(desk.wakes).toBe(1);
    expect(desk.turn(1000)).toBe(Infinity);
    expect(desk.asked).toEqual([
      { command: { text: '{"id":"a"}', retained: false, duplicate: false } }]);
  });

  test("so many wait for their outcomes at most; an answer wakes", async () => {
    const desk = new Desk();
    for (let i = 0; i < commands_waiting_max; i++) desk.arrive("slow");
    let next = 0;
    for (let now = 1000; next < Infinity; now = next) next = desk.turn(now);
    expect(desk.asked.length).toBe(limits.commands_max);
    const before = desk.wakes;
    await desk.answerAll();
    expect(desk.wakes).toBeGreaterThan(before);
    expect(desk.turn(1e6)).toBeLessThan(Infinity);
    expect(desk.asked.length).toBe(limits.commands_max + commands_per_turn_max);
  });

  test("what is longer than any command is not kept", () => {
    const desk = new Desk();
    desk.arrive("x".repeat(limits.command_bytes_max + 1));
    desk.turn(1000);
    expect(desk.asked).toEqual([{ command: { text: null, retained: false, duplicate: false } }]);
  });

  test("what main refuses is answered, and the way is free again", async () => {
    const desk = new Desk();
    desk.arrive("a");
    desk.turn(1000);
    desk.open[0]!.reject(new Fault("role-ended", "The role ended."));
    await Bun.sleep(0);
    expect(JSON.parse(desk.answers[0]!).error).toMatchObject({ code: "role-ended" });
  });
});

describe("W4 disarm by MQTT", () => {
  test.each(['{"disarm":"anna"}', '{ "\\u0064isarm": "anna" }'])("%s overtakes a flood", (text) => {
    const desk = new Desk();
    for (let i = 0; i < 2 * commands_waiting_max; i++) desk.arrive("junk");
    desk.arrive(text);
    expect(desk.asked).toEqual([{ disarm: "anna" }]);
  });

  test("a flood of disarms is one under way, and after a rest one more", async () => {
    const desk = new Desk();
    for (let i = 0; i < 1000; i++) desk.arrive(`{"disarm":"n${i}"}`);
    expect(desk.asked).toEqual([{ disarm: "n0" }]);
    await desk.answerAll();
    expect(desk.asked).toEqual([{ disarm: "n0" }]);
    for (let i = 0; i < 1000; i++) desk.arrive(`{"disarm":"m${i}"}`);
    desk.rest();
    await Bun.sleep(0);
    expect(desk.asked).toEqual([{ disarm: "n0" }, { disarm: "m999" }]);
    await desk.answerAll();
    desk.rest();
    await Bun.sleep(0);
    expect([desk.asked.length, desk.answers.length, desk.queue.dropped]).toEqual([2, 2, 0]);
    desk.arrive('{"disarm":"later"}');
    expect(desk.asked.length).toBe(3);
  });

  test("only the one key: a command that mentions it is a command", () => {
    const desk = new Desk();
    for (const text of ['{"disarm":""}', '{"disarm":"a","id":"1"}', "disarm"]) desk.arrive(text);
    expect(desk.asked).toEqual([]);
    desk.turn(1000);
    expect(desk.asked.length).toBe(3);
  });
});
