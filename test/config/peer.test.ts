import { describe, expect, test } from "bun:test";
import type { Link } from "../../src/config.ts";
import { hostProblem, peersOf } from "../../src/config/peer.ts";

describe("the host of a link", () => {
  test.each(["192.168.1.20", "plc", "plc-1.local", "PLC.example.", "fe80::1", "fe80::1%eth0",
    "2001:470::1", "::1", "küche.local", "a_b"])("%s is one", (host) => {
    expect(hostProblem(host)).toBeNull();
  });

  test.each([
    ["tcp://127.0.0.1", 'without tcp://: "host": "127.0.0.1"'],
    ["opc.tcp://uaserver:4840", 'without opc.tcp://: "host": "uaserver", "port": 4840'],
    ["opc.tcp://uaserver:4840/UA/Server", '"host": "uaserver", "port": 4840'],
    ["http://[::1]:80/", '"host": "::1", "port": 80'],
    ["10.0.0.1:502", 'the port is a setting of its own: "host": "10.0.0.1", "port": 502'],
    ["[fe80::1]:502", '"host": "fe80::1", "port": 502'],
    ["[fe80::1]", 'without brackets: "host": "fe80::1"'],
    ["192.168.1. 20", 'a space stands in "192.168.1. 20": "host": "192.168.1.20"?'],
    [" plc", "a space stands in"],
    ["192.168.1.300", "300 is more than 255"],
    ["192.168.1", "it has four numbers"],
    ["192.168.1.2.3", "it has four numbers"],
    ["192.168..20", "it has four numbers"],
    ["192.168.001.020", 'no zeros before them: "host": "192.168.1.20"'],
    ["fe80::1::2", "is no IPv6 address"],
    ["plc/1", "/ cannot stand in a name or address"],
  ])("%s is none", (host, sentence) => {
    expect(hostProblem(host)).toContain(sentence);
  });
});

describe("W13: links that may reach one device", () => {
  const link = (name: string, host: string | undefined, backupHost?: string, port = 502): Link =>
    ({ name, type: "modbus-tcp", settings: { host, backupHost, port } });
  const together = (...links: Link[]): boolean => new Set(peersOf(links).values()).size === 1;

  test.each([
    ["names of this gateway", link("a", "localhost"), link("b", "127.0.0.1")],
    ["its names of IPv6", link("a", "0:0:0:0:0:0:0:1"), link("b", "LOCALHOST.")],
    ["spellings", link("a", "PLC.local."), link("b", "plc.local")],
    ["spellings of IPv6", link("a", "fe80:0::1"), link("b", "FE80::1")],
    ["one's stand-in is the other", link("a", "10.0.0.1", "10.0.0.2"), link("b", "10.0.0.2")],
    ["the other way round", link("a", "10.0.0.2"), link("b", "10.0.0.1", "10.0.0.2")],
    ["one stand-in", link("a", "10.0.0.1", "10.0.0.3"), link("b", "10.0.0.2", "10.0.0.3")],
  ])("%s", (_, one, other) => {
    expect(together(one, other)).toBe(true);
  });

  test("over a third one", () => {
    expect(together(link("a", "10.0.0.1"), link("b", "10.0.0.2"),
      link("c", "10.0.0.1", "10.0.0.2"))).toBe(true);
  });

  test("others are others", () => {
    expect(together(link("a", "10.0.0.1"), link("b", "10.0.0.2"))).toBe(false);
    expect(together(link("a", "10.0.0.1"), link("b", "10.0.0.1", undefined, 503))).toBe(false);
    expect(together(link("a", undefined), link("b", undefined))).toBe(false);
    expect(together(link("a", "127.0.0.1"), link("b", "127.0.0.2"))).toBe(false);
  });
});
