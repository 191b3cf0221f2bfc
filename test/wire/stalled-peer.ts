import { createServer, type AddressInfo } from "node:net";

/**
 * A peer whose window closes: it takes a connection and reads nothing before a byte comes on stdin.
 * Prints its port, and in the end how the connection ended and the last bytes that it read.
 */
const server = createServer({ pauseOnConnect: true }, (socket) => {
  let tail = "";
  const ended = (how: string): void => {
    console.log(`${how} ${tail}`);
    process.exit(0);
  };
  socket.on("data", (bytes: Buffer) => { tail = (tail + bytes.toString("hex")).slice(-64); });
  socket.on("end", () => ended("FIN")).on("error", () => ended("RST"));
  process.stdin.on("data", () => { socket.resume(); });
});
server.listen(0, "127.0.0.1", () => { console.log((server.address() as AddressInfo).port); });
