import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { openPty } from "../../src/base/os.ts";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { python } from "../support/python.ts";
import { logix, noWay, refusingS7 } from "../support/refusing-plc.ts";

/**
 * Must-show I: each connection error that people really meet, provoked on the compiled binary. What
 * `why`, `status`, REST and the log say must name the place and what to try.
 */
interface Trouble {
  readonly name: string;
  readonly link: object;
  readonly says: RegExp;
  readonly station?: number;
  readonly at?: string;
  readonly type?: string;
  /** The log has it too; null: it does not. Left out: as `says`. */
  readonly logs?: RegExp | null;
  /** It is a tag's trouble alone. */
  readonly inStatus?: false;
}

const servers: Server[] = [];
/** Another address of loopback each: two links may not lead to one place. */
let hosts = 10;

/** A device of one kind of trouble; where it listens. */
async function device(on: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const host = `127.0.0.${hosts++}`;
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    on(socket);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, host, done));
  return { host, port: (server.address() as AddressInfo).port };
}

/** Answers each Modbus TCP request by what `pdu` makes of it; null = not at all. */
const modbus = (pdu: (station: number, asked: Buffer) => number[] | null) => device((socket) => {
  socket.on("data", (bytes: Buffer) => {
    const answer = pdu(bytes[6]!, bytes.subarray(7));
    if (answer === null) return;
    socket.write(Buffer.from([...bytes.subarray(0, 4), 0, answer.length + 1, bytes[6]!,
      ...answer]));
  });
});

/** A read of registers, which hold these bytes. */
const registers = (asked: Buffer, ...bytes: number[]): number[] =>
  [asked[0]!, asked[4]! * 2, ...Array.from({ length: asked[4]! * 2 }, (_, i) => bytes[i] ?? 0)];
const refuses = (code: number) => modbus((_, asked) => [asked[0]! | 0x80, code]);

const nobody = await device(() => {});
servers.pop()!.close();
const silent = (): Promise<{ host: string; port: number }> => device(() => {});
const ssh = () => device((socket) => {
  socket.write("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
});
const full = () => device((socket) => socket.destroy());

const interpreter = python("socket");
const firewall = interpreter === null ? null
  : new Program([interpreter, join(import.meta.dir, "full_backlog.py"), "127.0.0.9"]);
const closed = firewall === null ? [] : (await until("ports that drop",
  () => /^(\d+)\n/.exec(firewall.output))).slice(1).map(Number);

const [quiet, noisy, kernel, held] = [openPty(), openPty(), openPty(), openPty()];
const reader = Bun.file(noisy.master).stream().getReader();
/** A line on the wrong speed: each request is answered by what is no frame. */
async function makeNoise(): Promise<void> {
  const noise = Uint8Array.of(0x81, 0x00, 0xfe, 0x33, 0x7e);
  for (;;) {
    const { done } = await reader.read();
    if (done) return;
    noisy.write(noise, noise.length);
  }
}

const tcp = (to: object, more: object = {}): object => ({ type: "modbus-tcp", ...to,
  timeout: "100ms", connectTimeout: "700ms", ...more });
const rtu = (port: string, more: object = {}): object => ({ type: "modbus-rtu", port,
  rs485: "adapter", timeout: "50ms", baud: 19200, ...more });
const scale = { w: { send: "SI", match: "S [SD] +([0-9.]+) kg" } };

const troubles: readonly Trouble[] = [
  { name: "wrong-port", link: tcp(nobody), says: new RegExp(
    `nobody listens at ${nobody.host}:${nobody.port}: is this the right port.*switched on`) },
  ...closed.map((port) => ({ name: "firewall", link: tcp({ host: "127.0.0.9", port }),
    says: /no answer from 127\.0\.0\.9:\d+ in time: check address and cable.*firewall/ })),
  { name: "no-name", link: tcp({ host: "no-such-plc.invalid" }),
    says: /the name no-such-plc\.invalid has no address.*DNS, or write the address itself/ },
  { name: "too-many", link: tcp(await full()),
    says: /127\.0\.0\.\d+:\d+ ended the connection without a word: it may have too many already/ },
  { name: "wrong-station", station: 9, link: tcp(await modbus((station, asked) =>
    (station === 1 ? registers(asked) : null))),
    says: /bad:timeout: is 9 the right station\? A PLC itself is mostly 1, 0 or 255/ },
  { name: "behind-gateway", station: 9, link: tcp(await refuses(11)),
    says: /no answer from station 9 \(exception 11\): is that its number on the bus/ },
  { name: "no-path", link: tcp(await refuses(10)), says: /no way to station 1 \(exception 10\)/ },
  { name: "off-by-one", link: tcp(await refuses(2)), inStatus: false,
    says: /no holding 9 \(400010\): try holding 8 \(400009\), if its manual .* 1, or .*input 9/ },
  { name: "wrong-table", link: tcp(await refuses(1)),
    says: /no such function \(exception 1\): is the value in another table, such as "input"/ },
  { name: "too-long", link: tcp(await refuses(3)), says: /exception 3\): try "maxRegisters"/ },
  { name: "busy", link: tcp(await refuses(6)), says: /busy \(exception 6\): poll less often/ },
  { name: "swapped-words", type: "float32", logs: null,
    link: tcp(await modbus((_, asked) => registers(asked, 0x33, 0x33, 0x42, 0x83))),
    says: /if 4\.\d+e-8 is not right: with "wordOrder": "CDAB" it is 65\.6/ },
  { name: "converter", link: tcp(await device((socket) => {
    socket.on("data", () => socket.write(Uint8Array.of(1, 3, 2, 0, 1, 0x79, 0x84)));
  })), says: /bad:garbled: what comes is no frame: is the port right\? .*"framing": "rtu"/ },
  { name: "translated", link: tcp(await silent(), { framing: "rtu" }),
    says: /bad:timeout: .*a gateway that translates wants "framing": "tcp", not rtu/ },
  { name: "udp", link: { type: "modbus-udp", ...nobody, host: "127.0.0.8", timeout: "100ms" },
    says: /nobody listens at 127\.0\.0\.8:\d+: is this the right port/ },
  { name: "listen", link: { type: "modbus-listen", ...await silent().then(({ host, port }) =>
    ({ address: host, port })) },
    says: /port \d+ is in use by another program: end that one \(ss -ltnp/ },
  { name: "not-dialled", logs: null, link: { type: "modbus-listen", address: "127.0.0.5",
    from: "127.0.0.7", port: nobody.port },
    says: /waiting for 127\.0\.0\.7 to dial 127\.0\.0\.5:\d+; 127\.0\.0\.1 did, and was turned/ },
  { name: "no-adapter", link: rtu("/dev/ttyUSB77"),
    says: /\/dev\/ttyUSB77 cannot be opened: there is no such file; is its adapter .*by-id/ },
  { name: "in-use", link: rtu(held.path),
    says: new RegExp(`${held.path} is in use by another program: end that one \\(fuser -v`) },
  { name: "no-serial", link: rtu("/dev/null"), says: /\/dev\/null is no serial port: write/ },
  { name: "no-rs485", link: rtu(kernel.path, { rs485: "kernel" }),
    says: /cannot switch RS-485 by the kernel .*write "rs485": "adapter"/ },
  { name: "wrong-wires", link: rtu(quiet.path), says:
    /nobody answers on \S+ at 19200 baud, parity even: .*scan \S+ --search.*A and B.*rs485/ },
  { name: "wrong-baud", link: rtu(noisy.path), says:
    /what comes on \S+ at 19200 baud, parity even is no frame: check speed.*--search/ },
  { name: "wrong-slot", at: "DB1.DBW0", link: { type: "s7", ...await device((socket) => {
    socket.on("data", () => socket.write(Uint8Array.of(3, 0, 0, 11, 6, 0x80, 0, 1, 0, 0, 3)));
  }) }, says: /refuses the connection to rack 0, slot 1: an S7-1200 .*S7-300 slot 2/ },
  { name: "plc-is-full", at: "DB1.DBW0", link: { type: "s7", ...await full() },
    says: /ended the connection without a word: .*or the PLC knows no rack 0, slot 1/ },
  { name: "no-s7", at: "DB1.DBW0", link: { type: "s7", ...await ssh(), timeout: "100ms" },
    says: /what came is not this protocol: is it the right port\?/ },
  { name: "no-logix", at: "Speed", link: { type: "ethernet-ip", ...await silent(),
    timeout: "100ms" }, says: /the greeting is not answered: is \d+ the port of EtherNet\/IP/ },
  { name: "no-greeting", at: "DB1.DBW0", link: { type: "s7", ...await silent(),
    timeout: "100ms" }, says: /not answered: is \d+ the port of an S7 PLC.*rack 0, slot 1\?/ },
  { name: "no-put-get", at: "DB1.DBW0", link: { type: "s7",
    ...await device(refusingS7({ error: 0x8104 })) },
    says: /permits no access from outside: .*"Permit access with PUT\/GET communication".*0x8104/ },
  { name: "s7-password", at: "DB1.DBW0", link: { type: "s7",
    ...await device(refusingS7({ error: 0xd602 })) },
    says: /protection level asks for a password \(0xD602\)/ },
  { name: "s7-protected", at: "DB1.DBW0", inStatus: false, link: { type: "s7",
    ...await device(refusingS7({ item: 0x03 })) },
    says: /the PLC does not permit it: look at its protection level/ },
  { name: "optimised", at: "DB1.DBW0", inStatus: false, link: { type: "s7",
    ...await device(refusingS7({ item: 0x0a })) },
    says: /no such block, or its access is optimised: .*Optimized block access.*\(0x0A\)/ },
  { name: "s7-is-full", at: "DB1.DBW0", link: { type: "s7", ...await device((socket) => {
    socket.on("data", () => socket.write(Uint8Array.of(3, 0, 0, 11, 6, 0x80, 0, 1, 0, 0, 1)));
  }) }, says: /refuses the connection to rack 0, slot 1: .*or it has no connection left/ },
  { name: "empty-slot", at: "Speed", link: { type: "ethernet-ip", slot: 5,
    ...await device(logix(noWay(0x0312))) }, says: /no controller in that slot \(0x312\)/ },
  { name: "no-backplane", at: "Speed", link: { type: "ethernet-ip", slot: 5,
    ...await device(logix(noWay(0x0311))) },
    says: /no such way to the slot: is "slot" the controller's.*its chassis\? \(0x311\)/ },
  { name: "slot-is-silent", at: "Speed", link: { type: "ethernet-ip", slot: 5,
    ...await device(logix(noWay(0x0204))) },
    says: /nobody answers in that slot: .*is 0 in a CompactLogix \(0x204\)/ },
  { name: "no-chassis", at: "Speed", link: { type: "ethernet-ip",
    ...await device(logix([0xd2, 0, 8, 0])) },
    says: /does not know this service: is it a Logix controller, and "slot" its own\? .*"none"/ },
  { name: "ends-itself", at: "Speed", link: { type: "ethernet-ip", slot: 5,
    ...await device(logix(noWay(0x0312), 0, true)) }, says: /no controller in that slot/ },
  { name: "logix-is-full", at: "Speed", link: { type: "ethernet-ip",
    ...await device(logix([], 2)) }, says: /no memory for another session: close other clients/ },
  { name: "no-access", at: "Speed", inStatus: false, link: { type: "ethernet-ip",
    ...await device(logix([0xcc, 0, 0x0f, 0])) }, says: /External Access must be Read\/Write/ },
  { name: "ua-port", at: "ns=1;s=A", link: { type: "opcua", ...nobody, host: "127.0.0.6",
    security: "None" }, says: /nobody listens at 127\.0\.0\.6:\d+: is the server running/ },
  { name: "ua-port-secured", at: "ns=1;s=A", link: { type: "opcua", ...nobody, host: "127.0.0.66",
    security: "Basic256Sha256" }, says: /nobody listens at 127\.0\.0\.66:\d+: is the server/ },
  { name: "ua-other-secured", at: "ns=1;s=A", link: { type: "opcua", ...await ssh(),
    security: "Basic256Sha256" }, says: /127\.0\.0\.\d+:\d+ .*: is it the right port/ },
  { name: "ua-other", at: "ns=1;s=A", link: { type: "opcua", ...await ssh(), security: "None" },
    says: /127\.0\.0\.\d+:\d+ does not speak OPC UA: is it the right port/ },
  { name: "scale", at: "w match 1", type: "float32", link: { type: "telegram-tcp",
    ...await device((socket) => {
      socket.on("data", () => socket.write("ES\r\n"));
    }), timeout: "100ms", telegrams: scale },
    says: /bad:garbled: .*does not fit "match".*tagwerk frames scale/ },
];

const config = {
  gateway: { id: "errors" },
  links: Object.fromEntries(troubles.map(({ name, link }) => [name, link])),
  devices: Object.fromEntries(troubles.map(({ name, station, at, type }) => [`d-${name}`, {
    link: name, ...(station === undefined ? {} : { station }), groups: { fast: "100ms" },
    tags: { v: { at: at ?? "holding 9", type: type ?? "int16" } },
  }])),
  rules: {},
  api: { listen: "127.0.0.1:0" },
};

const folder = workFolder();
let gateway: RunningGateway;
let holder: Program | null = null;
beforeAll(async () => {
  void makeNoise();
  const hold = "import fcntl, sys, termios; f = open(sys.argv[1], 'rb+', 0); " +
    "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()";
  if (interpreter !== null) {
    holder = new Program([interpreter, "-c", hold, held.path]);
    await until("the port is held", () => holder!.output.includes("held"));
  }
  gateway = await RunningGateway.start(folder.write("gateway.json", config),
    join(folder.path, "store"));
  // A stranger, where another address is expected.
  const stranger = Bun.connect({ hostname: "127.0.0.5", port: nobody.port,
    socket: { data() {}, error() {} } });
  await stranger.catch((thrown: unknown) => thrown);
}, 120_000);
afterAll(async () => {
  await gateway?.stop("SIGKILL");
  void reader.cancel();
  for (const program of [firewall, holder]) await program?.stop();
  for (const server of servers) server.close();
  for (const pty of [quiet, noisy, kernel, held]) pty.close();
  folder.remove();
});

describe.each(troubles)("$name", (trouble) => {
  const { name } = trouble;
  test.skipIf(name === "in-use" && interpreter === null)(
    "why, REST and log name the place and what to try", async () => {
      let reason = "";
      await until(`why says ${trouble.says}`, async () => {
        reason = (await gateway.get(`/tags/d-${name}.v/why`)).body.reason;
        return trouble.says.test(reason);
      }).catch((thrown: unknown) => {
        throw new Error(`${thrown}, but ${reason}`);
      });
      expect(reason.length).toBeLessThan(400);
      if (trouble.logs === null) return;
      await until("the log says so", () => gateway.program.output.split("\n")
        .some((line) => line.includes(name) && (trouble.logs ?? trouble.says).test(line)));
    }, 120_000);
});

test("status lists each link and station that fails, with what to try", async () => {
  let missing: string[] = [];
  await until("all of them", async () => {
    const lines = (await gateway.cli("status")).output.split("\n");
    missing = troubles.filter(({ name, says, logs, inStatus }) => logs !== null &&
      inStatus !== false && !lines.some((line) => line.includes(name) && says.test(line)))
      .map(({ name }) => name);
    return missing.length === 0;
  }).catch((thrown: unknown) => {
    throw new Error(`${thrown}: ${missing.join(", ")}`);
  });
}, 120_000);

test("what stays wrong is told once in the log", async () => {
  const lines = (name: string): string[] =>
    gateway.program.output.split("\n").filter((line) => line.includes(name));
  expect(lines("wrong-port").length).toBe(1);
  // The connection, the refusal in words and as the station's, and its end.
  expect(lines("ends-itself").length).toBeLessThanOrEqual(4);
  const { opens } = ((await gateway.get("/links")).body as any[])
    .find(({ name }) => name === "ends-itself");
  // Ten times a second would be hundreds by now.
  expect(opens).toBeLessThan(40);
});

test("each station has its retries and its category, also in the metrics", async () => {
  const { stations } = ((await gateway.get("/links")).body as any[])
    .find(({ name }) => name === "wrong-station");
  expect(stations[0]).toMatchObject({ station: 9, category: "failure", reason: "bad:timeout" });
  expect(stations[0].retries).toBeGreaterThan(0);
  expect(stations[0].requests).toBeGreaterThan(stations[0].retries);
  const { body } = await gateway.get<string>("/metrics");
  expect(body).toMatch(/station_retries_total\{link="wrong-station",station="9"\} [1-9]/);
  expect(body).toContain(
    'station_category{link="wrong-station",station="9",category="failure"} 1');
  expect((await gateway.get("/tags/d-wrong-station.v")).body.category).toBe("failure");
  expect((await gateway.get("/tags/d-swapped-words.v")).body.category).toBe("good");
});

test("a port without permission: the group to join", async () => {
  const forbidden = openPty();
  chmodSync(forbidden.path, 0);
  const own = workFolder();
  chmodSync(own.path, 0o777);
  const file = own.write("gateway.json", { gateway: { id: "no" }, rules: {},
    api: { listen: "127.0.0.1:0" }, links: { bus: rtu(forbidden.path) }, devices: { d: {
      link: "bus", groups: { fast: "1s" }, tags: { v: { at: "holding 0", type: "int16" } } } } });
  const wrap = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--clear-groups"] : [];
  const other = await RunningGateway.start(file, join(own.path, "store"), [], {}, wrap);
  try {
    await until("it says so", () =>
      /permission denied; add the user that runs Tagwerk to the port's group/
        .test(other.program.output));
  } finally {
    await other.stop();
    forbidden.close();
    own.remove();
  }
}, 120_000);

test("an orderly stop does not wait for a device that is off", async () => {
  const begun = performance.now();
  expect(await gateway.stop()).toBe(0);
  expect(performance.now() - begun).toBeLessThan(4000);
}, 120_000);
