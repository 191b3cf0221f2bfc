import { RepublishRequest, type ClientSession, type RepublishResponse } from "node-opcua-client";
import type { Notification } from "./group.ts";
import { messages_max } from "./publish.ts";

/** The server has no message of this number, or none any more: all is said. */
const no_more = "BadMessageNotAvailable";

/** Whose messages they are. */
export interface Watcher {
  /** The server's number of its subscription. */
  readonly subscription: number;
  /** The number of the first message that it has not got. */
  readonly next: number;
  /** Takes one that was missed; false = it is not the one that was asked for. */
  missed(message: Notification): boolean;
  fail(why: string): void;
}

type Done = (thrown: Error | null, answer?: RepublishResponse) => void;

/** As the library's session calls itself when its connection is back. */
interface Republishing {
  republish(request: RepublishRequest, done: Done): void;
}

/**
 * What the server kept while the connection was lost is asked for here, message by message. The
 * library's own loop skips the first one where a message without values came before the loss, and
 * never ends where a server answers each number with an empty message (asyncua); here such a server
 * has kept nothing that can be relied upon, and all is made anew.
 */
export function fetchKept(session: ClientSession, watchers: readonly Watcher[]): void {
  const library = session as unknown as Republishing;
  const ask = library.republish.bind(session);
  library.republish = ({ subscriptionId }, done) => {
    const watcher = watchers.find(({ subscription }) => subscription === subscriptionId);
    const asked = watcher === undefined ? Promise.resolve() : fetchAll(ask, watcher);
    asked.then(() => done(new Error(no_more)), done);
  };
}

async function fetchAll(ask: Republishing["republish"], watcher: Watcher): Promise<void> {
  for (let n = 0; n < messages_max; n++) {
    const message = await fetchOne(ask, watcher);
    if (message === null) return;
    if (!watcher.missed(message)) giveUp(watcher, "the server does not say what it kept for us");
  }
  giveUp(watcher, "the server says without end what it kept for us");
}

function giveUp(watcher: Watcher, why: string): never {
  watcher.fail(why);
  throw new Error(why);
}

/** null = there is none. Any other refusal is for the library, which makes anew what is gone. */
function fetchOne(
  ask: Republishing["republish"], { subscription: subscriptionId, next }: Watcher,
): Promise<Notification | null> {
  const request = new RepublishRequest({ subscriptionId, retransmitSequenceNumber: next });
  const { promise, resolve, reject } = Promise.withResolvers<Notification | null>();
  ask(request, (thrown, answer) => {
    // A refusal comes as an error, or (CoDeSys) as an answer that says so.
    const status = answer?.responseHeader.serviceResult;
    const refusal = thrown?.message ?? (status?.isGood() ? "" : String(status));
    if (refusal.includes(no_more)) resolve(null);
    else if (refusal !== "") reject(thrown ?? new Error(refusal));
    else resolve(answer!.notificationMessage as unknown as Notification);
  });
  return promise;
}
