import { expect, test } from "bun:test";
import { fetchKept, type Watcher } from "../../../src/driver/opcua/kept.ts";

type Answer = { number: number } | { thrown: string } | { refuses: string };

/** A session whose server answers by `answers`, and one subscription that has got 6 messages. */
class Scripted {
  readonly asked: number[] = [];
  readonly took: number[] = [];
  readonly failed: string[] = [];
  readonly watcher: Watcher;
  readonly #session: { republish(request: object, done: (...outcome: any[]) => void): void };

  constructor(answers: (number: number) => Answer) {
    const { asked, took, failed } = this;
    this.#session = { republish: ({ retransmitSequenceNumber: number }: any, done) => {
      asked.push(number);
      const answer = answers(number);
      if ("thrown" in answer) done(new Error(answer.thrown));
      else if ("refuses" in answer) done(null, answerOf(false, answer.refuses));
      else done(null, { ...answerOf(true, "Good"), notificationMessage: answer });
    } };
    let next = 7;
    this.watcher = {
      subscription: 3,
      get next() {
        return next;
      },
      missed: ({ number }: any) => {
        if (number !== next) return false;
        took.push(next++);
        return true;
      },
      fail: (why) => void failed.push(why),
    };
    fetchKept(this.#session as never, [this.watcher]);
  }

  /** As the library does when its connection is back; what ends its loop. */
  republish(subscriptionId = 3): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#session.republish({ subscriptionId, retransmitSequenceNumber: 9 },
      (thrown: Error | null) => resolve(thrown?.message ?? "none"));
    return promise;
  }
}

const answerOf = (good: boolean, name: string): object => ({ responseHeader: {
  serviceResult: { isGood: () => good, toString: () => `${name} (0x1)` } } });

test.each(["an error", "an answer"])(
  "from the first message that is missing to the last one that the server has (%s ends it)",
  async (how) => {
    const server = new Scripted((number) => (number < 10 ? { number }
      : how === "an error" ? { thrown: "ServiceFault: BadMessageNotAvailable (0x807b0000)" }
        : { refuses: "BadMessageNotAvailable" }));
    expect(await server.republish()).toBe("BadMessageNotAvailable");
    expect([server.asked, server.took, server.failed]).toEqual([[7, 8, 9, 10], [7, 8, 9], []]);
  });

test.each([{ thrown: "BadSubscriptionIdInvalid" }, { refuses: "BadSubscriptionIdInvalid" }])(
  "what is gone is made anew by the library: %p", async (answer) => {
    const server = new Scripted(() => answer);
    expect(await server.republish()).toContain("BadSubscriptionIdInvalid");
    expect([server.asked, server.failed]).toEqual([[7], []]);
  });

test("another message than the one that was asked for: given up, after one question", async () => {
  const server = new Scripted(() => ({ number: 0 }));
  expect(await server.republish()).toContain("does not say what it kept");
  expect(server.failed).toEqual(["the server does not say what it kept for us"]);
  expect(server.asked).toEqual([7]);
});

test("a server that has always one more: given up", async () => {
  const server = new Scripted((number) => ({ number }));
  expect(await server.republish()).toContain("without end");
  expect(server.failed).toEqual(["the server says without end what it kept for us"]);
  expect(server.asked.length).toBe(64);
});

test("a subscription that nobody watches any more: nothing is asked", async () => {
  const server = new Scripted((number) => ({ number }));
  expect(await server.republish(4)).toBe("BadMessageNotAvailable");
  expect(server.asked).toEqual([]);
});
