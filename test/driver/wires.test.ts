import { afterEach, describe, expect, spyOn, test } from "bun:test";
import {
  createConnection, createServer, type AddressInfo, type Server, type Socket,
} from "node:net";
import { createListenWire, createTcpWire, type Wire } from "../../src/driver.ts";
import { until } from "../support/binary.ts";
import { freePort } from "../support/port.ts";
import { IPPROTO_TCP, leadingTo, option, TCP_KEEPIDLE } from "../support/socket.ts";

/** What a wire tells, and what it is told by real sockets of this machine. */
function told() {
  const opened: string[] = [];
  const received: string[] = [];
  const closed: [reason: string, isGone: boolean][] = [];
  return { opened, received, closed, events: {
    opened: (peer: string) => void opened.push(peer),
    received: (bytes: Uint8Array) => void received.push(Buffer.from(bytes).toString()),
    closed: (reason: string, isGone = false) => void closed.push([reason, isGone]),
  } };
}

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

describe("tcp", () => {
  /** A device that takes each connection. */
  async function device(): Promise<{ port: number; taken: Socket[] }> {
    const taken: Socket[] = [];
    const server: Server = createServer((socket) => {
      taken.push(socket.on("error", () => {}));
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    ends.push(() => {
      server.close();
      for (const socket of taken) socket.destroy();
    });
    return { port: (server.address() as AddressInfo).port, taken };
  }

  /** A wire, and what Bun calls for each connection that it made. */
  async function start() {
    const { port, taken } = await device();
    const { events, ...heard } = told();
    const wire = createTcpWire({ host: "127.0.0.1", port }, events);
    const connect = Bun.connect;
    const handlers: Bun.SocketHandler[] = [];
    let connecting = (): void => {};
    const spy = spyOn(Bun, "connect").mockImplementation((options: any) => {
      handlers.push(options.socket);
      const made = connect(options);
      connecting();
      return made as never;
    });
    ends.push(() => {
      spy.mockRestore();
      wire.reset();
    });
    const during = (then: () => void): void => { connecting = then; };
    return { ...heard, wire, taken, handlers, during };
  }

  test("what is given up while its address is looked up is not connected any more", async () => {
    const { wire, handlers, taken, closed } = await start();
    wire.open();
    wire.reset();
    wire.open();
    await until("the second one", () => taken.length === 1, 5000);
    expect([handlers.length, closed.length]).toEqual([1, 1]);
  });

  test("W14: a connection that comes after it was given up is ended; nothing is sent", async () => {
    const { wire, taken, opened, closed, during } = await start();
    during(() => wire.reset());
    wire.open();
    await until("it is taken and ended", () => taken[0]?.destroyed, 5000);
    expect([opened, closed.length]).toEqual([[], 1]);
    expect(wire.send(Uint8Array.of(1), 1, 100)).toBe(false);
  });

  test("what is still told of a connection of before is nothing to the one of now", async () => {
    const { wire, taken, opened, received, closed, handlers } = await start();
    wire.open();
    await until("it is open", () => opened.length === 1 && taken.length === 1, 5000);
    wire.reset();
    expect(wire.send(Uint8Array.of(1), 1, 100)).toBe(false);
    await until("it is ended", () => taken[0]!.destroyed, 5000);
    wire.open();
    await until("it is open again", () => opened.length === 2 && taken.length === 2, 5000);
    const [before] = handlers;
    before!.data!({} as never, Buffer.from("late"));
    before!.end!({} as never);
    before!.close!({} as never);
    before!.error!({} as never, new Error("late"));
    before!.connectError!({} as never, new Error("late"));
    expect([received, closed.length]).toEqual([[], 1]);
    taken[1]!.write("now");
    await until("an answer", () => received.length > 0, 5000);
    expect([received, wire.send(Uint8Array.of(1), 1, 100)]).toEqual([["now"], true]);
  });
});

describe("listen", () => {
  async function start(from?: string) {
    const port = await freePort();
    const { events, ...heard } = told();
    const wire: Wire = createListenWire({ port, address: "127.0.0.1", from }, events);
    const listen = spyOn(Bun, "listen");
    wire.open();
    /** What Bun calls for each connection. */
    const handlers = listen.mock.calls[0]![0].socket as Bun.SocketHandler;
    listen.mockRestore();
    ends.push(() => wire.reset());
    const dial = (localAddress = "127.0.0.1"): Promise<Socket> => new Promise((done, failed) => {
      const socket = createConnection({ port, host: "127.0.0.1", localAddress },
        () => done(socket));
      socket.on("error", failed);
      ends.push(() => socket.destroy());
    });
    return { ...heard, wire, dial, handlers };
  }
  /** How long (s) its connection may be silent before the dialler is asked whether it is there. */
  const askedAfter = ({ localPort }: Socket): number =>
    option(leadingTo(localPort!)[0]!, IPPROTO_TCP, TCP_KEEPIDLE)[0]!;

  test("while a connection lasts a second one is turned away, and the first is asked", async () => {
    const { opened, received, closed, dial, wire, handlers } = await start();
    const first = await dial();
    await until("it is taken", () => opened.length === 1, 5000);
    expect(askedAfter(first)).toBe(10);
    const second = await dial();
    second.write("other");
    await until("it is turned away", () => second.destroyed, 5000);
    expect(askedAfter(first)).toBe(1);
    // What is still told of it is nothing to the first one.
    handlers.data!({} as never, Buffer.from("late"));
    handlers.end!({} as never);
    handlers.error!({} as never, new Error("late"));
    first.write("own");
    await until("what it says", () => received.length > 0, 5000);
    // Its port is no part of the peer: it is another each time.
    expect([opened, received, closed]).toEqual([["127.0.0.1"], ["own"], []]);
    expect(wire.send(Uint8Array.of(1), 1, 100)).toBe(true);
  });

  test("who may not dial is turned away and named; nobody else is doubted for it", async () => {
    const { opened, dial, wire } = await start("127.0.0.1");
    const stranger = await dial("127.0.0.2");
    await until("it is turned away", () => stranger.destroyed, 5000);
    expect(opened).toEqual([]);
    expect(wire.opening).toContain("127.0.0.2 did, and was turned away");
    const own = await dial();
    await until("it is taken", () => opened.length === 1, 5000);
    const again = await dial("127.0.0.2");
    await until("it is turned away again", () => again.destroyed, 5000);
    expect(askedAfter(own)).toBe(10);
  });

  test("W3: a connection that ends may be another machine's next; one that never came, not",
    async () => {
      const { opened, closed, dial, wire } = await start();
      wire.reset();
      expect(closed).toEqual([[expect.stringContaining("has not dialled"), false]]);
      wire.open();
      (await dial()).destroy();
      await until("its end is seen", () => closed.length === 2, 5000);
      expect(closed[1]![1]).toBe(true);
      expect(wire.send(Uint8Array.of(1), 1, 100)).toBe(false);
      wire.open();
      const next = await dial();
      await until("the next one is taken", () => opened.length === 2, 5000);
      wire.reset("the link is ended");
      expect(closed[2]).toEqual(["the link is ended", true]);
      await until("it is ended", () => next.destroyed, 5000);
    });
});
