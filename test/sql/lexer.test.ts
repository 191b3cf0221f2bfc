import { describe, expect, test } from "bun:test";
import { Lexer, type Token } from "../../src/sql/lexer.ts";

function tokens(sql: string): Token[] {
  const lexer = new Lexer(sql);
  const found: Token[] = [];
  for (let token = lexer.next(); token.kind !== "end"; token = lexer.next()) found.push(token);
  return found;
}

const texts = (sql: string): string[] => tokens(sql).map((token) => `${token.kind}:${token.text}`);

describe("lexer", () => {
  test("words, marks and numbers", () => {
    expect(texts("a<>b->c >= .5")).toEqual(
      ["word:a", "mark:<>", "word:b", "mark:->", "word:c", "mark:>=", "float:.5"]);
    expect(texts("12 0x1F 1e3 2.5E-2 100ms 1h30m")).toEqual(
      ["bigint:12", "bigint:0x1F", "float:1e3", "float:2.5E-2", "duration:100ms",
        "duration:1h30m"]);
  });

  test("texts with either quote, and the escapes of Go", () => {
    expect(texts(`'a"b' "c'd" "e\\n\\x41\\u00e9\\\\"`))
      .toEqual([`string:a"b`, "string:c'd", "string:e\nAé\\"]);
    expect(texts(`'it''s' '' """"`)).toEqual(["string:it's", "string:", 'string:"']);
    expect(() => tokens('"\\1"')).toThrow("No such escape");
    expect(() => tokens("'open")).toThrow("no closing");
  });

  test("comments are blanks, one without an end is an error", () => {
    expect(texts("a -- b\n/* c */ d")).toEqual(["word:a", "word:d"]);
    expect(() => tokens("a /* b")).toThrow("no end");
  });

  test("names in back-quotes may hold anything", () => {
    expect(texts("`m-01`.`中文 x`")).toEqual(["quoted:m-01", "mark:.", "quoted:中文 x"]);
  });

  test("after FROM a name may hold - and *, and stops at a comment", () => {
    const name = (sql: string): string => new Lexer(sql).sourceName(0).text;
    expect(name("m-*.slow WHERE")).toBe("m-*.slow");
    expect(name("topic/+/x/# AS t")).toBe("topic/+/x/#");
    expect(name("tbl/*c*/")).toBe("tbl");
    expect(name("tbl--c")).toBe("tbl");
    expect(name("press.fast)")).toBe("press.fast");
  });

  test("a number runs into no letter", () => {
    expect(() => tokens("12abc")).toThrow("before a letter");
    expect(() => tokens("1 @ 2")).toThrow("no meaning");
  });
});
