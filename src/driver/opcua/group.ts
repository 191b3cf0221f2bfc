import {
  ClientSubscription, DataChangeFilter, DataChangeTrigger, DeadbandType, TimestampsToReturn,
  type ClientSession, type DataValue, type NodeId, type ReadValueIdOptions,
} from "node-opcua-client";
import { reason, type Log } from "../../base.ts";
import type { Rows } from "../../driver.ts";
import { BAD } from "../../ring.ts";
import { readHistory, type Missed } from "./history.ts";
import type { Watcher } from "./kept.ts";
import { nodeOf, type Connection } from "./session.ts";
import { messages_max, Publisher, type Told } from "./publish.ts";
import { msOf, type ServerClock } from "./server-clock.ts";
import type { Watching } from "./settings.ts";

const VALUE = 13;
/** Nodes of one request: what any server takes. */
const nodes_max = 1000;
/** Publishing intervals without a request of ours after which the server forgets us. */
const lifetime_count = 600;
/** BadNodeIdUnknown: the server has no such namespace. */
const no_such_node = 0x80340000;

/** The number after it is 1 again (OPC UA part 4, 7.9). */
const number_max = 0xffff_ffff;

/** What the library's messages hold; its own types say less. */
export interface Notification {
  /** Its own, or where nothing is told that of the next one. */
  readonly sequenceNumber: number;
  /** When the server made it. */
  readonly publishTime?: Date | null;
  readonly notificationData?: readonly {
    readonly monitoredItems?: readonly {
      readonly clientHandle: number; readonly value: DataValue;
    }[] | null;
    /** In its place: of the subscription itself. */
    readonly status?: Status;
  }[] | null;
}

/** Of what one of them said nobody would know any more. */
const too_many = `more than ${messages_max} messages of the server wait for their rows`;

interface Status {
  readonly value: number;
  readonly name: string;
}

interface Watched {
  readonly monitoringParameters: { readonly clientHandle: number };
  readonly statusCode: Status;
  readonly result?: { readonly revisedSamplingInterval: number };
}

export interface GroupOptions {
  readonly rows: Rows;
  readonly watching: Watching;
  readonly log: Log;
  readonly time: () => number;
  readonly now: () => number;
  wake(): void;
  /** The connection is of no use to it: all is to be made anew. */
  fail(why: string): void;
}

/** One group of tags on a connection: watched by a subscription, or read at its interval. */
export class Group implements Watcher {
  readonly publisher: Publisher;
  readonly #history: Publisher | null;
  /** By tag: its newest source time, over all connections. */
  readonly #newest: Float64Array;
  readonly #o: GroupOptions;
  #connection: Connection | null = null;
  #clock: ServerClock | null = null;
  #subscription: ClientSubscription | null = null;
  /** Of the server's subscription that the values are of. */
  #id = 0;
  /** By the handle under which the server tells of a tag: its index. */
  #handles = new Map<number, number>();
  /** All handles are known. */
  #ready = false;
  /** The library is getting the connection back. */
  #lost = false;
  /** Messages, and their times, that came before the handles were known, or the connection back. */
  #early: [message: Notification, time: number][] = [];
  /** The number of the first message that is not told yet; at the loss of the connection. */
  next = 1;
  #nextAtLoss = 1;
  /** Of messages of an outage; null = there is none, or what came since confirmed the rest. */
  #missed: Told[] | null = null;
  /** Outages so far. */
  #outages = 0;
  #nodes: (NodeId | null)[] = [];
  /** Tags that the server does not watch, and why. */
  #refused: Told[] = [];
  /** Monotonic ms: of the newest message, and of the next reading or bad row. */
  heard = 0;
  #due = 0;
  #reading = false;
  /** The device is left alone: there is no subscription, and nothing is read. */
  #resting = false;
  /** The longest that the server granted. */
  #sampling = 0;

  constructor(options: GroupOptions) {
    this.#o = options;
    this.publisher = new Publisher(options.rows);
    const { history, tags } = options.rows;
    this.#history = history === null ? null : new Publisher(history);
    this.#newest = new Float64Array(tags.length).fill(NaN);
    this.#due = options.now();
  }

  /** ms after which a silent server has forgotten the subscription, or hangs. */
  get silence_ms(): number {
    const { interval } = this.#o.rows;
    const { maxKeepAliveCount = 1, publishingInterval = interval } = this.#told;
    return Math.max(10_000, 3 * (maxKeepAliveCount + 1) * publishingInterval);
  }

  get stream(): string {
    return this.#o.rows.stream;
  }

  get subscription(): number {
    return this.#subscription?.subscriptionId ?? 0;
  }

  /** A change is seen at the next look, goes with the next message, and that is on its way. */
  get lag_ms(): number {
    const { watching, rows: { interval } } = this.#o;
    return watching.read === "poll" ? 0
      : this.#sampling + 2 * (this.#told.publishingInterval ?? interval);
  }

  get #told(): { maxKeepAliveCount?: number; publishingInterval?: number } {
    return (this.#subscription ?? {}) as never;
  }

  /** Begins on a new session, of a server with this clock. */
  async begin(connection: Connection, clock: ServerClock): Promise<void> {
    const { session, namespaces } = connection;
    this.#connection = connection;
    this.#clock = clock;
    this.#resting = this.#o.rows.isDisabled;
    this.heard = this.#due = this.#o.now();
    this.publisher.clear();
    this.#o.rows.forget();
    this.#refused = [];
    this.#nodes = this.publisher.fields.map(({ address, tag }, i) => {
      try {
        return nodeOf(address, namespaces);
      } catch (thrown) {
        this.#o.log.warn("link", `${tag.id}: ${reason(thrown)}`);
        this.#refused.push({ tag: i, source: NaN, server: NaN, status: no_such_node, value: null });
        return null;
      }
    });
    if (this.#o.watching.read === "subscribe" && !this.#resting) await this.#subscribe(session);
  }

  end(): void {
    this.#connection = null;
    this.#subscription = null;
    this.#ready = this.#lost = false;
    this.#early = [];
    this.#due = this.#o.now();
  }

  /** The connection is lost, and the library gets it back: what comes until then is no row. */
  lose(): void {
    this.#lost = true;
    this.#outages += 1;
    if (this.#missed !== null) return;
    this.#missed = [];
    this.#nextAtLoss = this.next;
  }

  resume(): void {
    this.#lost = false;
    this.#release();
  }

  missed(message: Notification): boolean {
    const isIt = message.sequenceNumber === this.next && !!message.notificationData?.length;
    // Before all handles are known nobody can tell what its values are of.
    if (!isIt || !this.#ready) return false;
    this.next = after(this.next);
    if (!this.#ends(message)) this.#missed?.push(...this.#toldOf(message));
    return true;
  }

  fail(why: string): void {
    this.#o.fail(`${this.stream}: ${why}`);
  }

  /** Writes rows and begins a reading that is due; gives when (monotonic ms) it is to be called. */
  step(now: number, failure: number | null): number {
    const { rows, watching, time } = this.#o;
    if (rows.isDisabled !== this.#resting) this.#rest(rows.isDisabled);
    if (this.#resting) this.heard = now;
    const more = this.#history?.write() ?? false;
    if (this.publisher.write() || more) return now;
    const spoils = failure !== null || this.#resting;
    if (!spoils && watching.read === "subscribe") return Infinity;
    if (now < this.#due) return this.#due;
    // On the grid: what lies between is missed, not made up for.
    this.#due += rows.interval * (1 + Math.floor((now - this.#due) / rows.interval));
    if (spoils) rows.spoil(time(), failure ?? BAD.disabled);
    else if (!this.#reading && this.#connection !== null) {
      void this.#read(this.#connection.session);
    }
    return this.#due;
  }

  #rest(resting: boolean): void {
    this.#resting = resting;
    this.#due = this.#o.now();
    const connection = this.#connection;
    const subscription = this.#subscription;
    if (connection === null) return;
    if (!resting) {
      void this.begin(connection, this.#clock!).catch((thrown: unknown) => {
        // As on a new connection: a group that is told nothing would look well for ever.
        if (this.#connection === connection) this.fail(reason(thrown));
      });
    } else {
      this.#subscription = null;
      // One that is only being made ends as soon as it is.
      if (this.#ready) {
        void subscription?.terminate().catch((thrown: unknown) =>
          this.#o.log.warn("link", `${this.stream}: ${reason(thrown)}`));
      }
    }
  }

  async #subscribe(session: ClientSession): Promise<void> {
    const { rows: { interval } } = this.#o;
    const subscription = ClientSubscription.create(session, {
      requestedPublishingInterval: interval, requestedLifetimeCount: lifetime_count,
      requestedMaxKeepAliveCount: 1, maxNotificationsPerPublish: 0, publishingEnabled: true,
      priority: 1,
    });
    // The library asks for three at least; but a value that does not change is known to hold only
    // as long as the server says that it is there.
    (subscription as unknown as { maxKeepAliveCount: number }).maxKeepAliveCount = 1;
    this.#subscription = subscription;
    this.#handles = new Map();
    this.#sampling = 0;
    this.#ready = false;
    this.#early = [];
    this.#id = 0;
    subscription.on("raw_notification", (message: unknown) => {
      if (this.#subscription !== subscription) return;
      this.#notified(message as Notification, this.#timeOf(message as Notification));
    });
    const begun = Promise.withResolvers<void>();
    subscription.on("started", () => begun.resolve());
    subscription.on("error" as never, (thrown: Error) => begun.reject(thrown));
    subscription.on("internal_error", (thrown: Error) => {
      // Before that it does not come to be, and is told as that.
      if (this.#ready) this.#o.log.warn("link", `${this.#o.rows.stream}: ${thrown.message}`);
    });
    try {
      await begun.promise;
      await this.#monitor(subscription);
    } catch (thrown) {
      // What nobody wants any more need not come to be.
      if (this.#subscription === subscription) throw thrown;
    }
    if (this.#subscription !== subscription) {
      void subscription.terminate().catch((thrown: unknown) => thrown);
      return;
    }
    this.#ready = true;
    this.#release();
  }

  async #monitor(subscription: ClientSubscription): Promise<void> {
    const { watching: { sampling, queue, deadband }, rows: { interval } } = this.#o;
    const parameters = {
      samplingInterval: sampling ?? interval, queueSize: queue, discardOldest: true,
    };
    const filter = deadband === undefined ? null : filterOf(deadband);
    const numbers = filter === null ? [] : this.#tags((type) => /int|float/.test(type));
    const others = filter === null ? this.#tags(() => true)
      : this.#tags((type) => !/int|float/.test(type));
    for (const tags of parts(others)) await this.#monitorPart(subscription, tags, parameters);
    for (const tags of parts(numbers)) {
      await this.#monitorPart(subscription, tags, { ...parameters, filter: filter! });
    }
  }

  /** Tags whose node is known, by their indices. */
  #tags(wanted: (type: string) => boolean): number[] {
    return this.#nodes.flatMap((node, i) =>
      (node !== null && wanted(this.#o.rows.tags[i]!.type) ? [i] : []));
  }

  async #monitorPart(
    subscription: ClientSubscription, tags: readonly number[], parameters: object,
  ): Promise<void> {
    const group = await subscription.monitorItems(tags.map((i) => this.#readValue(i)) as never,
      parameters as never, TimestampsToReturn.Both);
    // Another one was begun meanwhile, with handles of its own.
    if (this.#subscription !== subscription) return;
    group.monitoredItems.forEach((item, i) => {
      const { monitoringParameters, statusCode, result } = item as unknown as Watched;
      this.#sampling = Math.max(this.#sampling, result?.revisedSamplingInterval ?? 0);
      const tag = tags[i]!;
      this.#handles.set(monitoringParameters.clientHandle, tag);
      if (statusCode.value >>> 30 === 0) return;
      this.#refused.push({
        tag, source: NaN, server: NaN, status: statusCode.value, value: null,
      });
      this.#o.log.warn("link", `${this.#o.rows.tags[tag]!.id}: the server does not watch it: ` +
        statusCode.name, { at: this.#o.rows.tags[tag]!.at });
    });
  }

  #readValue(tag: number): ReadValueIdOptions {
    const { range } = this.publisher.fields[tag]!.address;
    return { nodeId: this.#nodes[tag]!, attributeId: VALUE,
      ...(range === "" ? {} : { indexRange: range as never }) };
  }

  /** Engine time at which the server made it: it may have waited on the way. */
  #timeOf({ publishTime }: Notification): number {
    return this.#o.time() - (this.#clock!.age(msOf(publishTime)) || 0);
  }

  /** A message that the server sends now, made at `time`. */
  #notified(message: Notification, time: number): void {
    if (this.#ends(message)) return;
    const told = message.notificationData ?? [];
    // Without any part it says that all is as it was; with others than values, nothing of them.
    const saysValues = told.length === 0 || told.some(({ monitoredItems }) => !!monitoredItems);
    if (saysValues) this.heard = this.#o.now();
    if (!this.#ready || this.#lost) this.#keep(message, time);
    else if (this.subscription !== this.#id) this.#takeAnew(message, time);
    else if (this.#missed !== null) this.#takeMissed(message, time, saysValues);
    else if (message.sequenceNumber !== this.next) {
      this.fail(`the server's messages are not whole: ${message.sequenceNumber} follows ` +
        `${this.next - 1}; with "read": "poll" it is asked instead`);
    } else {
      if (told.length > 0) this.next = after(message.sequenceNumber);
      if (saysValues) this.#take(this.#toldOf(message), time, message);
    }
  }

  /** Whether the server says that the subscription is over. */
  #ends({ notificationData }: Notification): boolean {
    const over = notificationData?.find(({ status }) =>
      status !== undefined && status.value >>> 31 !== 0);
    if (over !== undefined) {
      this.fail(`the server ended the subscription: ${over.status!.name}`);
    }
    return over !== undefined;
  }

  /** No more than can wait for their rows. */
  #keep(message: Notification, time: number): void {
    if (this.#early.length >= messages_max) this.fail(too_many);
    else this.#early.push([message, time]);
  }

  #release(): void {
    if (!this.#ready || this.#lost) return;
    for (const [message, time] of this.#early.splice(0)) {
      // One of them may end it.
      if (this.#subscription !== null) this.#notified(message, time);
    }
  }

  /** The first one of a subscription: what it does not tell is not known. */
  #takeAnew(message: Notification, time: number): void {
    const before = this.#newest.slice();
    this.#id = this.subscription;
    this.next = message.notificationData?.length ? after(message.sequenceNumber) : 1;
    this.#missed = null;
    this.#o.rows.forget();
    this.#take([...this.#refused, ...this.#toldOf(message)], time, message);
    void this.#fill(before);
  }

  /**
   * The first one since the connection is back, which confirms what was told before, if none is
   * missing in between. What it and the missed ones say last of each tag is one row; what that
   * overtook is history.
   */
  #takeMissed(message: Notification, time: number, saysValues: boolean): void {
    const { sequenceNumber: number, notificationData } = message;
    const isNumbered = !!notificationData?.length;
    if (number > this.next || (isNumbered && number < this.#nextAtLoss)) {
      this.fail(`the server has lost what it told meanwhile: ${number} follows ${this.next - 1}`);
      return;
    }
    // The server may have kept this very message, too.
    if (isNumbered && number === this.next) {
      this.#missed!.push(...this.#toldOf(message));
      this.next = after(number);
    }
    if (!saysValues) return;
    const values = this.#missed!;
    this.#missed = null;
    const last = new Map(values.map((one) => [one.tag, one]));
    this.#take([...last.values()].map((one) => ({ ...one, source: NaN })), time);
    const others = values.filter((one) => isOther(one, last.get(one.tag)!));
    this.#history?.take(this.#o.time(), others, null);
  }

  #toldOf({ notificationData }: Notification): Told[] {
    const values: Told[] = [];
    for (const { monitoredItems } of notificationData ?? []) {
      for (const { clientHandle, value } of monitoredItems ?? []) {
        const tag = this.#handles.get(clientHandle);
        if (tag === undefined) continue;
        const one = toldOf(tag, value);
        values.push(one);
        if (!(one.source < this.#newest[tag]!)) this.#newest[tag] = one.source;
      }
    }
    return values;
  }

  /** What the server kept between the newest value of `before` and the first one since. */
  async #fill(before: Float64Array): Promise<void> {
    const session = this.#connection?.session;
    if (this.#history === null || session === undefined) return;
    const missed = this.#nodes.flatMap((nodeId, tag): Missed[] => {
      const [from, to] = [before[tag]!, this.#newest[tag]!];
      return nodeId !== null && from < to ? [{ tag, nodeId, after: from, before: to }] : [];
    });
    if (missed.length === 0) return;
    try {
      const { values, full } = await readHistory(session, missed, toldOf);
      const { stream } = this.#o.rows;
      this.#o.log.info("link", `${stream}: ${values.length} values of the gap were read` +
        (full ? "; there were more, which are left out" : ""));
      if (values.length > 0) this.#history.take(this.#o.time(), values, null);
      this.#o.wake();
    } catch (thrown) {
      this.#o.log.warn("link", `${this.#o.rows.stream}: no history: ${reason(thrown)}`);
    }
  }

  async #read(session: ClientSession): Promise<void> {
    this.#reading = true;
    const [begun, outages] = [this.#o.time(), this.#outages];
    try {
      const values = [...this.#refused];
      for (const tags of parts(this.#tags(() => true))) {
        const answers = await session.read(tags.map((tag) => this.#readValue(tag)), 0);
        // One reading is one row, whenever its values changed.
        answers.forEach((answer, i) => values.push({ ...toldOf(tags[i]!, answer), source: NaN }));
      }
      if (session !== this.#connection?.session || this.#resting) return;
      // The library asked once more when the connection was back: it is no reading of then.
      if (outages !== this.#outages) return;
      this.heard = this.#o.now();
      this.#take(values, begun);
    } catch (thrown) {
      this.#o.log.warn("link", `${this.#o.rows.stream}: ${reason(thrown)}`);
    } finally {
      this.#reading = false;
    }
  }

  /** `of`: the message, if that is where they are from as they are. */
  #take(values: Told[], time: number, of: Notification | null = null): void {
    const made = of === null ? null : msOf(of.publishTime);
    if (!this.publisher.take(time, values, made)) this.fail(too_many);
    this.#o.wake();
  }
}

function toldOf(tag: number, answer: DataValue): Told {
  const { statusCode, sourceTimestamp, serverTimestamp, value } = answer;
  const server = msOf(serverTimestamp);
  const source = msOf(sourceTimestamp);
  return { tag, source: Number.isNaN(source) ? server : source, server, status: statusCode.value,
    value };
}

/** A server may tell its newest value once more when the connection is back. */
function isOther(one: Told, last: Told): boolean {
  return one !== last && !(one.source === last.source && Bun.deepEquals(one.value, last.value));
}

function after(number: number): number {
  return number === number_max ? 1 : number + 1;
}

function parts(tags: readonly number[]): number[][] {
  return Array.from({ length: Math.ceil(tags.length / nodes_max) }, (_, i) =>
    tags.slice(i * nodes_max, (i + 1) * nodes_max));
}

function filterOf(deadband: number | string): DataChangeFilter {
  return new DataChangeFilter({
    trigger: DataChangeTrigger.StatusValue,
    deadbandType: typeof deadband === "string" ? DeadbandType.Percent : DeadbandType.Absolute,
    deadbandValue: typeof deadband === "string" ? Number.parseFloat(deadband) : deadband,
  });
}
