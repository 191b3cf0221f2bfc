import type { Connection, ConnectorIo, Sink } from "../../connector.ts";
import type { Ring } from "../../ring.ts";
import { freshStatus } from "../status.ts";
import { Feed } from "./feed.ts";
import { Inlet } from "./inlet.ts";
import { shownRegisters, writtenRegisters } from "./map.ts";
import type { Modbus, RegisterHost } from "./modbus.ts";
import { Listener, type OpenPort } from "./session.ts";
import type { LinkSettings, SinkSettings, SourceSettings } from "./settings.ts";

/** One port, and all that its registers show and take. */
export class ServerConnection implements Connection {
  readonly status: Connection["status"];
  readonly #modbus: Modbus;
  readonly #settings: LinkSettings;
  readonly #io: ConnectorIo;
  readonly #listener: Listener;
  readonly #feeds = new Set<Feed>();
  readonly #inlets = new Set<Inlet>();
  /** The registers are others than those that are served. */
  #isChanged = false;

  constructor(
    name: string, settings: LinkSettings, modbus: Modbus, io: ConnectorIo, openPort?: OpenPort,
  ) {
    this.status = freshStatus(io.now());
    this.#modbus = modbus;
    this.#settings = settings;
    this.#io = io;
    this.#listener = new Listener(name, settings, this.status, io, openPort);
  }

  source(_name: string, settings: unknown, into: Ring): () => void {
    const registers = writtenRegisters(settings as SourceSettings);
    const inlet = new Inlet(into, registers, this.status, this.#io);
    this.#inlets.add(inlet);
    this.#changed();
    return () => {
      this.#inlets.delete(inlet);
      this.#changed();
    };
  }

  /** Called for each stream of which the registers show something. */
  sink(_name: string, settings: unknown, from: Ring): Sink {
    const { maxAge } = settings as SinkSettings;
    const registers = shownRegisters(settings as SinkSettings);
    const feed = new Feed(from, registers, maxAge, this.status, (ended) => {
      this.#feeds.delete(ended);
      this.#changed();
    });
    this.#feeds.add(feed);
    this.#changed();
    return feed;
  }

  close(): Promise<void> {
    this.#listener.close();
    return Promise.resolve();
  }

  /** They come and go one by one, and are served together. */
  #changed(): void {
    if (this.#isChanged) return;
    this.#isChanged = true;
    this.#io.timers.soon(() => {
      this.#isChanged = false;
      this.#serve();
    });
  }

  #serve(): void {
    const host: RegisterHost = {
      reading: () => {
        const time = this.#io.time();
        for (const feed of this.#feeds) feed.refresh(time);
      },
      written: (tags, fill) => {
        for (const inlet of this.#inlets) {
          if (tags.some((tag) => inlet.tags.has(tag))) inlet.take(tags, fill);
        }
      },
    };
    const tags = [...[...this.#feeds].flatMap(({ registers }) => registers.map(({ tag }) => tag)),
      ...[...this.#inlets].flatMap((inlet) => [...inlet.tags])];
    const registers = this.#modbus.open(tags, this.#settings.station ?? null, host);
    for (const feed of this.#feeds) feed.show(registers);
    this.#listener.serve(registers);
  }
}
