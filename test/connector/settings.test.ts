import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { logConnector, mqttConnector } from "../../src/connector.ts";
import { fill, matches } from "../../src/connector/mqtt/topic.ts";

describe("MQTT settings", () => {
  test("a link needs only its host", () => {
    const parsed = mqttConnector.link!.parse({ host: "broker.local" });
    expect(parsed).toEqual({ host: "broker.local", port: 1883, keepalive: 60_000 });
  });

  test.each([
    [{}, "host"], [{ host: "h", port: 0 }, "port"], [{ host: "h", keepalive: "1ms" }, "keepalive"],
    [{ host: "h", keepalive: "often" }, "keepalive"], [{ host: "h", hots: 1 }, "hots"],
  ])("the link %j is refused at %s", (settings, where) => {
    const { error } = mqttConnector.link!.safeParse(settings);
    expect(JSON.stringify(error?.issues)).toContain(where);
  });

  const filters = ["a", "a/b", "+", "#", "a/+/b", "a/#", "+/#", "/", "{gateway}/x"];
  test.each(filters)("filter %s", (topic) => {
    expect(mqttConnector.source!.safeParse({ topic }).success).toBe(true);
  });

  test.each(["", "a+", "a/#/b", "#/a", "a#", "a/+b", "a\0"])("no filter: %j", (topic) => {
    expect(mqttConnector.source!.safeParse({ topic }).success).toBe(false);
  });

  test("a topic to publish to has no wildcard; qos 2 is not in this version", () => {
    expect(mqttConnector.sink!.safeParse({ topic: "a/{gateway}/{rule}" }).success).toBe(true);
    expect(mqttConnector.sink!.safeParse({ topic: "a/+" }).success).toBe(false);
    expect(mqttConnector.sink!.safeParse({ topic: "a", qos: 2 }).success).toBe(false);
  });

  test("every setting says what it is for", () => {
    const { link, source, sink } = mqttConnector;
    for (const schema of [link, source, sink, logConnector.sink]) {
      const { properties } = z.toJSONSchema(schema!, { io: "input" });
      for (const [name, property] of Object.entries(properties!)) {
        expect((property as { description?: string }).description, name).toBeString();
      }
    }
  });
});

describe("topics", () => {
  test.each([
    ["a/b", "a/b", true], ["a/b", "a/c", false], ["a/b", "a/b/c", false], ["a/b/c", "a/b", false],
    ["+", "a", true], ["+", "a/b", false], ["+/b", "a/b", true], ["a/+", "a/", true],
    ["+/+", "/b", true], ["#", "a/b", true], ["a/#", "a", true], ["a/#", "a/b/c", true],
    ["a/#", "ab", false],
    ["#", "$SYS/x", false], ["+/x", "$SYS/x", false], ["$SYS/#", "$SYS/x", true],
  ])("filter %s, topic %s: %p", (filter, topic, expected) => {
    expect(matches(filter, topic)).toBe(expected);
  });

  test("names are filled in, unknown ones stay", () => {
    expect(fill("a/{gateway}/{rule}/{x}", { gateway: "g", rule: "r" })).toBe("a/g/r/{x}");
  });
});
