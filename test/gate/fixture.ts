import type { TagPolicy } from "../../src/config.ts";
import {
  TagState, pathHash, type Arming, type Box, type Command, type GateState, type Path,
  type ReadResult, type TagFacts,
} from "../../src/gate.ts";

/** A setpoint of −3276.8 to 3276.7 °C in an int16 with scale 0.1: 1 LSB = 0.1. */
export const path: Path = {
  peer: "10.0.0.5:502", station: 1, at: "holding 9", type: "int16", wordOrder: "ABCD",
  scale: 0.1, offset: 0,
};

export function facts(over: Partial<TagFacts> = {}): TagFacts {
  return {
    id: "press.setpoint", type: "int16", scale: 0.1, offset: 0, eu: "°C", writable: true,
    unsupported: null, broadcast: false, encode: encodeInt16(over.scale ?? 0.1), ...over,
  };
}

function encodeInt16(scale: number): TagFacts["encode"] {
  return (value) => {
    if (typeof value === "string") return "an int16 holds no text";
    const raw = Math.round(value / scale);
    if (raw < -32768 || raw > 32767) return "an int16 holds -32768 to 32767";
    const bytes = new Uint8Array(2);
    new DataView(bytes.buffer).setInt16(0, raw);
    return { bytes, means: raw * scale };
  };
}

export const policy: TagPolicy = {
  allow: ["rule:hold", "rest", "cli"], maxMode: "armed", min: 20, max: 80, texts: null,
  outside: "reject", maxStep: 5, deadband: 0.5, minInterval: 1000, writesPerDay: 100,
  inputMaxAge: 500, permit: ["press.door_closed"], maxAge: 1000,
  onLoss: { after: 30_000, value: 40, step: "limited" }, readBack: null,
};

export const now = 1_000_000;

export const box = (over: Partial<Box> = {}): Box => ({
  safeMode: false, configRejected: false, latched: null, auditTrouble: null, clockTrusted: true,
  day: 20_000, deadline_ms_max: 60_000, ...over,
});

export const hash = pathHash(path);

export const arming = (over: Partial<Arming> = {}): Arming => ({
  number: 7, from: now - 10_000, until: now + 60_000, rulesUntil: now + 58_000, by: "anna", hash,
  only: null, ...over,
});

export const good = (value: number, at = now): ReadResult => ({ value, state: 0, at });

/** A tag that a good command of `hold` is admitted for. */
export function armedTag(over: Partial<TagState> = {}): TagState {
  const tag = new TagState(facts(), 100);
  tag.hash = hash;
  tag.linkUp = true;
  tag.arming = arming();
  tag.lastReadBack = 60;
  tag.permits = [{ condition: "press.door_closed", value: true, state: 0, at: now - 100,
    overridden: false }];
  return Object.assign(tag, over);
}

export const state = (tag: TagState | null = armedTag(), over: Partial<Box> = {}): GateState =>
  ({ box: box(over), tag });

export function ruleAsk(over: Partial<Command> = {}): Command {
  return {
    id: "hold/3/17", origin: "rule:hold", by: "hold", from: "", tag: "press.setpoint", value: 62,
    unit: null, authenticated: true, authorised: true,
    inputs: { oldest: now - 50, state: 0, flags: 0 }, row: { epoch: 3, sequence: 17 },
    notAfter: Infinity, receivedAt: now, byWallClock: false, retained: false, seen: false, ...over,
  };
}

export function restAsk(over: Partial<Command> = {}): Command {
  return {
    ...ruleAsk(), id: "a-1", origin: "rest", by: "panel", from: "10.0.0.9", inputs: null, row: null,
    notAfter: now + 2000, ...over,
  };
}
