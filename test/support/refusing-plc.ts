import type { Socket } from "node:net";

/**
 * Controllers that take a connection and refuse what is asked, byte by byte as the standards and
 * the makers' manuals have it.
 */
type On = (socket: Socket) => void;

/**
 * A Logix controller, or the module of its chassis: a session is taken, if `session` is 0 (else its
 * encapsulation status, ODVA volume 2, 2-3.4), and each message answered by `reply`: service,
 * 0, general status, words of further status (ODVA volume 1, appendix B and 3-5.5). `ends`: after
 * each it ends the connection, as some do.
 */
export function logix(reply: readonly number[], session = 0, ends = false): On {
  return (socket) => {
    socket.on("data", (asked: Buffer) => {
      const head = Buffer.from(asked.subarray(0, 24));
      const isRegister = head.readUInt16LE(0) === 0x65;
      const data = isRegister ? session === 0 ? asked.subarray(24, 28) : Buffer.alloc(0)
        : Buffer.from([0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0xb2, 0, reply.length, 0, ...reply]);
      head.writeUInt16LE(data.length, 2);
      head.writeUInt32LE(1, 4);
      head.writeUInt32LE(isRegister ? session : 0, 8);
      socket.write(Buffer.concat([head, data]));
      if (ends && !isRegister) socket.end();
    });
  };
}

/** The answer to an Unconnected Send that found no way: what is left of the path stands behind. */
export const noWay = (status: number): number[] =>
  [0xd2, 0, 1, 1, status & 0xff, status >> 8, 1, 0];

/**
 * An S7 that takes the connection and its set-up. A read is refused as a whole, by error class and
 * code, or its one item is, by a return code.
 */
export function refusingS7({ error = 0, item = 0 }: { error?: number; item?: number }): On {
  return (socket) => {
    socket.on("data", (asked: Buffer) => {
      if (asked[5] === 0xe0) {
        const confirm = Buffer.from(asked);
        confirm[5] = 0xd0;
        asked.copy(confirm, 6, 8, 10);
        socket.write(confirm);
        return;
      }
      const isSetup = asked[17] === 0xf0;
      const body = isSetup ? asked.subarray(17, 25) : Buffer.from([4, 1, item, 0, 0, 0]);
      const parameters = isSetup ? 8 : error === 0 ? 2 : 0;
      const data = isSetup || error !== 0 ? 0 : 4;
      const code = isSetup ? 0 : error;
      const telegram = Buffer.from([0x32, 3, 0, 0, asked[11]!, asked[12]!, 0, parameters, 0, data,
        code >> 8, code & 0xff, ...body.subarray(0, parameters + data)]);
      const n = 7 + telegram.length;
      socket.write(Buffer.concat([Buffer.from([3, 0, n >> 8, n & 0xff, 2, 0xf0, 0x80]), telegram]));
    });
  };
}
