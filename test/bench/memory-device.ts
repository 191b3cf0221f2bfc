/**
 * A Modbus TCP device whose 32,768 float32 registers change on every read; in a process of its own.
 */
let tick = 0;
const server = Bun.listen<{ rest: Buffer }>({
  hostname: "127.0.0.1", port: 0,
  socket: {
    open(socket) {
      socket.data = { rest: Buffer.alloc(0) };
    },
    data(socket, bytes) {
      let rest = Buffer.concat([socket.data.rest, bytes]);
      while (rest.length >= 12) {
        const count = rest.readUInt16BE(10);
        const answer = Buffer.alloc(9 + count * 2);
        rest.copy(answer, 0, 0, 4);
        answer.writeUInt16BE(3 + count * 2, 4);
        rest.copy(answer, 6, 6, 8);
        answer[8] = count * 2;
        tick = (tick + 1) % 1000;
        for (let i = 0; i + 1 < count; i += 2) answer.writeFloatBE(tick + i, 9 + i * 2);
        socket.write(answer);
        rest = rest.subarray(12);
      }
      socket.data.rest = rest;
    },
  },
});
console.log(JSON.stringify({ port: server.port }));
