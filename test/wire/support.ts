import { close, monotonic, pipe } from "../../src/base/os.ts";
import {
  createTcpWire, createTtyWire, DONE, modbusRtu, modbusTcp, PENDING, type DriverTag, type Session,
  type TtyWire, type Wire, type WireEvents,
} from "../../src/driver.ts";
import { linkOf } from "../driver/support.ts";

export { DONE };

/** A session on a real TCP connection. */
export async function connectTcp(port: number, settings: Record<string, unknown> = {}) {
  const link = linkOf(modbusTcp, { host: "127.0.0.1", port, ...settings });
  const state = { open: false, closed: "" };
  let moved = (): void => {};
  const events: WireEvents = {
    opened: () => { state.open = true; moved(); },
    received: (bytes, n) => { session.receive(bytes, n, monotonic()); moved(); },
    closed: (why) => { state.open = false; state.closed = why; session.abort(); moved(); },
  };
  const wire: Wire = createTcpWire(link.settings as { host: string; port: number }, events);
  const session: Session = modbusTcp.open(link, wire);
  wire.open();
  await new Promise<void>((resolve) => { moved = resolve; });
  /** Runs the exchange that was begun to its end. */
  const finish = async (): Promise<number> => {
    while (session.result === PENDING) {
      const until = session.step(monotonic());
      if (session.result !== PENDING) break;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(1, until - monotonic()));
        moved = () => { clearTimeout(timer); resolve(); };
      });
    }
    return session.result;
  };
  return { link, wire, session, state, finish };
}

/** A session on a tty, run by waiting in ppoll as the serial worker does. */
export function openTtySession(
  path: string, settings: Record<string, unknown> = {}, listen_ms = 5,
) {
  const link = linkOf(modbusRtu, { port: path, rs485: "adapter", timeout: "100ms", ...settings });
  const [wakeRead, wakeWrite] = pipe();
  const state = { open: false, closed: "" };
  const wire: TtyWire = createTtyWire(link, modbusRtu, wakeRead, {
    opened: () => { state.open = true; },
    received: (bytes, n) => session.receive(bytes, n, monotonic()),
    closed: (why) => { state.open = false; state.closed = why; session.abort(); },
  }, listen_ms);
  const session: Session = modbusRtu.open(link, wire);
  const finish = (): number => {
    for (;;) {
      const until = session.step(monotonic());
      if (session.result !== PENDING) return session.result;
      wire.wait(until);
    }
  };
  /** Waits until the port is open, or ended. */
  const open = (): void => {
    state.closed = "";
    wire.open();
    while (!state.open && state.closed === "") wire.wait(monotonic() + 100);
  };
  const end = (): void => {
    wire.reset();
    close(wakeRead);
    close(wakeWrite);
  };
  return { link, wire, session, state, finish, open, end, wakeWrite };
}

export type { DriverTag };
