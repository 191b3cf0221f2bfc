import type { TagType } from "../../src/ring.ts";

/**
 * The machine's side of a story about one setpoint, in the bytes of each protocol: written from its
 * standard for the judge to read, by nothing that the program itself uses.
 */
export interface Exchange {
  readonly request: readonly number[];
  readonly answer: readonly number[];
}

interface Place {
  readonly at: string;
  readonly type: TagType;
  readonly scale: number;
}

export interface Speech {
  /** The link's settings as an engineer writes them. */
  readonly link: Readonly<Record<string, unknown>>;
  readonly setpoint: Place;
  readonly temperature: Place;
  readonly door: Place;
  /** A tag of type `text(8)`. */
  readonly recipe: Place;
  /** Raw words of the setpoint, and of the text, as the audit has them. */
  words(value: number): Uint8Array;
  textWords(text: string): Uint8Array;
  read(value: number): Exchange;
  write(value: number): Exchange;
  /** The machine says that it did nothing. */
  refused(value: number): Exchange;
  readText(text: string): Exchange;
  writeText(text: string): Exchange;
  poll(door: number, temperature: number): Exchange[];
  /** What acts and is no write of a tag. */
  readonly acts: Readonly<Record<string, Exchange>>;
}

const tenths = (value: number): number => Math.round(value * 10) & 0xffff;
const high = (value: number): number[] => [value >> 8 & 255, value & 255];
const low = (value: number): number[] => [value & 255, value >> 8 & 255];
const text = (characters: string): number[] => [...Buffer.from(characters)];

/** Characters in all the room that they have. */
const filled = (characters: string, room: number): number[] =>
  text(characters.padEnd(room, "\0"));

/** Of all but Modbus, a text lies in the audit with its length in front, in all its room. */
function textWords(characters: string): Uint8Array {
  const words = new Uint8Array(9);
  words.set([characters.length, ...text(characters)]);
  return words;
}

/** CRC-16 of a serial line (Modbus over serial line V1.02, 6.2.2), low byte first. */
function checksum(bytes: readonly number[]): number[] {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return [crc & 255, crc >> 8];
}

let number = 0;
/** What pairs an answer with its request. */
const next = (): number => (number = (number + 1) & 0xffff);

/** The same as text, with what makes the sum of its bytes 0 (2.5.2). */
function asText(bytes: readonly number[]): number[] {
  const rest = -bytes.reduce((sum, byte) => sum + byte, 0) & 255;
  return text(`:${Buffer.from([...bytes, rest]).toString("hex").toUpperCase()}\r\n`);
}

function modbus(type: "modbus-tcp" | "modbus-rtu" | "modbus-ascii"): Speech {
  const exchange = (request: number[], answer: number[]): Exchange => {
    const transaction = next();
    const wrap = (pdu: number[]): number[] => {
      if (type === "modbus-ascii") return asText([1, ...pdu]);
      return type === "modbus-rtu" ? [1, ...pdu, ...checksum([1, ...pdu])]
        : [...high(transaction), 0, 0, 0, pdu.length + 1, 1, ...pdu];
    };
    return { request: wrap(request), answer: wrap(answer) };
  };
  const writing = (value: number): number[] => [16, 0, 9, 0, 1, 2, ...high(tenths(value))];
  const registers = (characters: string): number[] => filled(characters, 8);
  return {
    link: { type },
    setpoint: { at: "holding 9", type: "int16", scale: 0.1 },
    temperature: { at: "300003", type: "int16", scale: 0.1 },
    door: { at: "discrete 4", type: "bool", scale: 1 },
    recipe: { at: "holding 40", type: "text(8)", scale: 1 },
    words: (value) => Uint8Array.from(high(tenths(value))),
    textWords: (characters) => Uint8Array.from(registers(characters)),
    read: (value) => exchange([3, 0, 9, 0, 1], [3, 2, ...high(tenths(value))]),
    write: (value) => exchange(writing(value), [16, 0, 9, 0, 1]),
    refused: (value) => exchange(writing(value), [0x90, 2]),
    readText: (characters) => exchange([3, 0, 40, 0, 4], [3, 8, ...registers(characters)]),
    writeText: (characters) =>
      exchange([16, 0, 40, 0, 4, 8, ...registers(characters)], [16, 0, 40, 0, 4]),
    poll: (door, temperature) => [
      exchange([2, 0, 0, 0, 8], [2, 1, door << 4]),
      exchange([4, 0, 0, 0, 4], [4, 8, 0, 0, 0, 0, ...high(tenths(temperature)), 0, 0])],
    acts: {
      "a coil": exchange([5, 0, 9, 0xff, 0], [5, 0, 9, 0xff, 0]),
      "a write with a read": exchange([23, 0, 0, 0, 1, 0, 9, 0, 1, 2, 1, 0], [23, 2, 0, 0]),
      "a mask of several bits": exchange([22, 0, 9, 0, 0, 1, 0], [22, 0, 9, 0, 0, 1, 0]),
    },
  };
}

function s7(): Speech {
  const block = 0x84, inputs = 0x81, BYTE = 2;
  const packet = (telegram: number[]): number[] =>
    [3, 0, ...high(telegram.length + 7), 2, 0xf0, 0x80, ...telegram];
  const exchange = (
    parameters: number[], data: number[], answered: number[], result: number[],
  ): Exchange => {
    const head = (kind: number): number[] => [0x32, kind, 0, 0, ...high(reference)];
    const reference = next();
    return {
      request: packet([...head(1), ...high(parameters.length), ...high(data.length),
        ...parameters, ...data]),
      answer: packet([...head(3), ...high(answered.length), ...high(result.length), 0, 0,
        ...answered, ...result]),
    };
  };
  const item = (area: number, db: number, byte: number, count: number): number[] =>
    [0x12, 10, 16, BYTE, ...high(count), ...high(db), area, 0, ...high(byte * 8)];
  const data = (bytes: number[]): number[] => [0xff, 4, ...high(bytes.length * 8), ...bytes];
  const write = (byte: number, bytes: number[], code: number): Exchange =>
    exchange([5, 1, ...item(block, 1, byte, bytes.length)], [0, ...data(bytes).slice(1)],
      [5, 1], [code]);
  const read = (byte: number, bytes: number[]): Exchange =>
    exchange([4, 1, ...item(block, 1, byte, bytes.length)], [], [4, 1], data(bytes));
  return {
    link: { type: "s7" },
    setpoint: { at: "DB1.DBW18", type: "int16", scale: 0.1 },
    temperature: { at: "DB1.DBW2", type: "int16", scale: 0.1 },
    door: { at: "I0.4", type: "bool", scale: 1 },
    recipe: { at: "DB1.DBB40", type: "text(8)", scale: 1 },
    words: (value) => Uint8Array.from(high(tenths(value))), textWords,
    read: (value) => read(18, high(tenths(value))),
    write: (value) => write(18, high(tenths(value)), 0xff),
    refused: (value) => write(18, high(tenths(value)), 5),
    readText: (characters) =>
      read(40, [8, characters.length, ...filled(characters, 8)]),
    writeText: (characters) => write(41, [characters.length, ...text(characters)], 0xff),
    // Two items, the first filled up to an even number of bytes.
    poll: (door, temperature) => [exchange(
      [4, 2, ...item(inputs, 0, 0, 1), ...item(block, 1, 0, 4)], [], [4, 2],
      [...data([door << 4]), 0, ...data([0, 0, ...high(tenths(temperature))])])],
    acts: {
      "a stop of the PLC": exchange([0x29, 0, 0, 0, 0, 0, 9, ...text("P_PROGRAM")], [], [0x29], []),
      "two writes at once": exchange(
        [5, 2, ...item(block, 1, 18, 2), ...item(block, 1, 20, 2)],
        [...data([1, 0]), ...data([1, 0])], [5, 2], [0xff, 0xff]),
    },
  };
}

/** Texts of a controller: how a type is named, and how a text of it lies. */
const cipTexts: Readonly<Record<string, {
  readonly named: readonly number[];
  bytes(characters: string): number[];
}>> = {
  // A structure with a handle of its own, filled up to whole words.
  "STRING of Logix": { named: [0xa0, 2, 0xce, 0x0f], bytes: (characters) =>
    [...low(characters.length), 0, 0, ...filled(characters, 82), 0, 0] },
  STRING: { named: [0xd0, 0], bytes: (characters) =>
    [...low(characters.length), ...text(characters)] },
  SHORT_STRING: { named: [0xda, 0], bytes: (characters) =>
    [characters.length, ...text(characters)] },
};

function cip(textType = "STRING of Logix"): Speech {
  const READ = 0x4c, WRITE = 0x4d, INT = 0xc3, BOOL = 0xc1;
  const route = (message: number[]): number[] => [0x52, 2, 0x20, 6, 0x24, 1, 5, 157,
    ...low(message.length), ...message, ...message.length % 2 === 0 ? [] : [0], 1, 0, 1, 0];
  const exchange = (message: number[], answer: number[]): Exchange => {
    const context = [...low(next()), 0, 0, 0, 0, 0, 0];
    const frame = (body: number[]): number[] => [0x6f, 0, ...low(body.length + 16), 1, 0, 0, 0,
      0, 0, 0, 0, ...context, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0xb2, 0,
      ...low(body.length), ...body];
    return { request: frame(route(message)), answer: frame(answer) };
  };
  const path = (name: string): number[] => {
    const parts = name.split(".").flatMap((part) =>
      [0x91, part.length, ...text(part), ...part.length % 2 === 0 ? [] : [0]]);
    return [parts.length / 2, ...parts];
  };
  const reading = (name: string): number[] => [READ, ...path(name), 1, 0];
  const said = (type: number, bytes: number[]): number[] => [0xcc, 0, 0, 0, type, 0, ...bytes];
  const write = (type: number, value: number, status: number): Exchange => exchange(
    [WRITE, ...path("Press.Setpoint"), type, 0, 1, 0, ...low(tenths(value))],
    [0xcd, 0, status, 0]);
  const { named, bytes } = cipTexts[textType]!;
  const several = (service: number, parts: number[][]): number[] => {
    let at = 2 + 2 * parts.length;
    const offsets = parts.flatMap((part) => low((at += part.length) - part.length));
    return [service, ...service === 0x0a ? [2, 0x20, 2, 0x24, 1] : [0, 0, 0],
      ...low(parts.length), ...offsets, ...parts.flat()];
  };
  return {
    link: { type: "ethernet-ip" },
    setpoint: { at: "Press.Setpoint", type: "int16", scale: 0.1 },
    temperature: { at: "Press.Temperature", type: "int16", scale: 0.1 },
    door: { at: "Press.Door", type: "bool", scale: 1 },
    recipe: { at: "Press.Recipe", type: "text(8)", scale: 1 },
    words: (value) => Uint8Array.from(low(tenths(value))), textWords,
    read: (value) => exchange(reading("press.setpoint"), said(INT, low(tenths(value)))),
    write: (value) => write(INT, value, 0),
    refused: (value) => write(INT, value, 0x0f),
    readText: (characters) => exchange(reading("press.recipe"),
      [0xcc, 0, 0, 0, ...named, ...bytes(characters)]),
    writeText: (characters) => exchange(
      [WRITE, ...path("Press.Recipe"), ...named, 1, 0, ...bytes(characters)], [0xcd, 0, 0, 0]),
    poll: (door, temperature) => [exchange(
      several(0x0a, [reading("press.temperature"), reading("press.door")]),
      several(0x8a, [said(INT, low(tenths(temperature))), said(BOOL, [door])]))],
    acts: {
      "a write as another type": write(0xc7, 62, 0),
      "a write among several": exchange(several(0x0a, [reading("press.door"),
        [WRITE, ...path("press.setpoint"), INT, 0, 1, 0, 1, 0]]),
      several(0x8a, [said(BOOL, [1]), [0xcd, 0, 0, 0]])),
      "a reset of the device": exchange([5, 2, 0x20, 1, 0x24, 1], [0x85, 0, 0, 0]),
    },
  };
}

function telegram(): Speech {
  const exchange = (request: string, answer: string): Exchange =>
    ({ request: text(`${request}\r\n`), answer: text(`${answer}\r\n`) });
  return {
    link: { type: "telegram-tcp", telegrams: {
      set: { send: "SP?", write: "SP {value:1}", acknowledge: "OK", example: "20.0" },
      state: { send: "ST?", example: "20.0 1" },
      recipe: { send: "RC?", write: "RC {value}", acknowledge: "OK", example: "LOT" },
    } },
    setpoint: { at: "set", type: "float64", scale: 1 },
    temperature: { at: "state field 1", type: "float64", scale: 1 },
    door: { at: "state field 2", type: "bool", scale: 1 },
    recipe: { at: "recipe", type: "text(8)", scale: 1 },
    words: (value) => {
      const words = new Uint8Array(8);
      new DataView(words.buffer).setFloat64(0, Number(value.toFixed(1)));
      return words;
    },
    textWords,
    read: (value) => exchange("SP?", ` ${value.toFixed(1)}`),
    write: (value) => exchange(`SP ${value.toFixed(1)}`, "OK"),
    refused: (value) => exchange(`SP ${value.toFixed(1)}`, "ERR"),
    readText: (characters) => exchange("RC?", `${characters} `),
    writeText: (characters) => exchange(`RC ${characters}`, "OK"),
    poll: (door, temperature) => [exchange("ST?", `${temperature.toFixed(1)} ${door}`)],
    acts: { "a tare": exchange("T", "OK") },
  };
}

function opcua(): Speech {
  const node = (name: string): string => `nsu=urn:press;s=${name}`;
  const exchange = (request: object, answer: object): Exchange => {
    const n = next();
    const told = (what: object): number[] => text(JSON.stringify({ n, ...what }));
    return { request: told(request), answer: told(answer) };
  };
  const value = (type: string, is: unknown): object => ({ type, value: is, good: true });
  const read = (name: string, type: string, is: unknown): Exchange => exchange(
    { service: "read", nodes: [node(name)] }, { service: "read", values: [value(type, is)] });
  const write = (name: string, type: string, is: unknown, status: number): Exchange => exchange(
    { service: "write", nodes: [node(name)], type, value: is }, { service: "write", status });
  return {
    link: { type: "opcua" },
    setpoint: { at: node("Setpoint"), type: "float64", scale: 1 },
    temperature: { at: node("Temperature"), type: "float64", scale: 1 },
    door: { at: node("Door"), type: "bool", scale: 1 },
    recipe: { at: node("Recipe"), type: "text(8)", scale: 1 },
    words: (number) => {
      const words = new Uint8Array(8);
      new DataView(words.buffer).setFloat64(0, number);
      return words;
    },
    textWords,
    read: (number) => read("Setpoint", "Double", number),
    write: (number) => write("Setpoint", "Double", number, 0),
    refused: (number) => write("Setpoint", "Double", number, 0x803b0000),
    readText: (characters) => read("Recipe", "String", characters),
    writeText: (characters) => write("Recipe", "String", characters, 0),
    poll: (door, temperature) => [read("Door", "Boolean", door === 1),
      read("Temperature", "Double", temperature)],
    acts: {
      "a write as another type": write("Setpoint", "Float", 62, 0),
      "a method": exchange({ service: "call", nodes: [node("Start")], type: "Double", value: 62 },
        { status: 0 }),
      "a write of an attribute": exchange({ service: "write of an attribute",
        nodes: [node("Setpoint")], type: "Double", value: 62 }, { status: 0 }),
    },
  };
}

/** What all stations of a bus are told at once (Modbus over serial line V1.02, 2.1). */
export function broadcast(value: number): Exchange {
  const frame = [0, 16, 0, 9, 0, 1, 2, ...high(tenths(value))];
  return { request: [...frame, ...checksum(frame)], answer: [] };
}

export const speeches: Readonly<Record<string, Speech>> = {
  "Modbus TCP": modbus("modbus-tcp"), "Modbus RTU": modbus("modbus-rtu"),
  "Modbus ASCII": modbus("modbus-ascii"), S7: s7(), "EtherNet/IP": cip(),
  telegrams: telegram(), "OPC UA": opcua(),
};

/** The same controller with its elementary texts. */
export const otherTexts: readonly Speech[] = [cip("STRING"), cip("SHORT_STRING")];
