import { expect, test } from "bun:test";
import {
  createUdpWire, DONE, modbusUdp, PENDING, telegramUdp, type Driver, type DriverTag,
} from "../../src/driver.ts";
import { linkOf, tag } from "./support.ts";

/**
 * A network may bring a datagram twice. The peer here sends each answer again when the next
 * question comes, right before that one's answer, so that whoever takes what comes first has the
 * value of another tag.
 */
const telegrams = { frame: { end: "<CR>" }, pauseBetween: "0ms",
  telegrams: { level: { send: "L?", example: "1" }, speed: { send: "S?", example: "1" } } };
const links: readonly (readonly [name: string, Driver, object, at: readonly [string, string]])[] = [
  ["modbus-udp", modbusUdp, {}, ["holding 100", "holding 500"]],
  ["modbus-udp rtu", modbusUdp, { framing: "rtu" }, ["holding 100", "holding 500"]],
  ["modbus-udp ascii", modbusUdp, { framing: "ascii" }, ["holding 100", "holding 500"]],
  ["telegram-udp", telegramUdp, telegrams, ["level", "speed"]],
];
const questions = 40;

test.each(links)("%s: a doubled answer is nobody's", async (
  _name, driver, settings, [first, second],
) => {
  const tags: DriverTag[] = [tag(first, "uint16"), tag(second, "uint16")];
  const peer = await doublingPeer(driver, settings, tags);
  const link = linkOf(driver, { host: "127.0.0.1", port: peer.port, timeout: "2s", ...settings });
  let opened = Promise.withResolvers<void>(), came = Promise.withResolvers<void>();
  const wire = createUdpWire(link.settings as { host: string; port: number }, {
    opened: () => opened.resolve(), closed: (why) => opened.reject(new Error(why)),
    received(bytes, n) {
      session.receive(bytes, n, performance.now());
      came.resolve();
    },
  });
  const session = driver.open(link, wire);
  wire.open();
  await opened.promise;
  const told: string[] = [], right: string[] = [];
  for (let i = 0; i < questions; i++) {
    const asked = tags[i % 2]!;
    const raw = new Uint8Array(driver.rawBytes(asked));
    session.readRaw(asked, raw, performance.now());
    while (session.result === PENDING) {
      came = Promise.withResolvers();
      await came.promise;
    }
    expect(session.result).toBe(DONE);
    told.push(`${asked.at}: ${driver.decode(asked, raw)}`);
    right.push(`${asked.at}: ${i + 1}`);
  }
  wire.reset("done");
  peer.close();
  expect(told).toEqual(right);
});

/** Answers the n-th question with n, whatever is asked. */
async function doublingPeer(driver: Driver, settings: object, tags: readonly DriverTag[]) {
  let value = 0;
  let again: (() => void) | null = null;
  const server = driver.serve(tags, linkOf(driver, { host: "a", port: 1, ...settings }),
    { value: () => value, written: () => false });
  return Bun.udpSocket({ hostname: "127.0.0.1", binaryType: "uint8array", socket: {
    data(socket, bytes, port, address) {
      again?.();
      value += 1;
      server.receive(bytes, bytes.length, performance.now(), { frame() {}, reply(out, n) {
        const answer = out.slice(0, n);
        again = () => void socket.send(answer, port, address);
        again();
      } });
    },
  } });
}
