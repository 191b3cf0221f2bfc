/**
 * A server in a process of its own, for tests of the whole: `bun plant.ts PORT [COUNTERS] [USER
 * PASSWORD [CERTIFICATE of another user, a file]]`. Each line that it reads is answered by one:
 * `set NAME JSON`, `bad NAME`, `uncertain NAME`, `get NAME`, `count MS` (all counters go up),
 * `counted`, `forget` (all sessions), `writes` (what was written to Setpoint), `refuse` (the next
 * request to watch nodes fails), `over NAME` (the clients of all subscriptions are told this
 * status), `forgetTold` (what was told is kept for nobody), `skip`, `swap` (the next message with
 * values is left out, or comes behind the one after it), `empty` (until `full`, whoever asks for a
 * message once more gets one without values).
 */
import {
  DataType, NotificationMessage, RepublishResponse, ServiceFault, StatusChangeNotification,
  StatusCodes, type UAVariable,
} from "node-opcua";
import { readFileSync } from "node:fs";
import { startServer } from "./server.ts";

const [port, items = "0", user, password, certificate] = process.argv.slice(2);
const plant = await startServer({
  port: Number(port),
  ...(user === undefined || password === undefined ? {} : { user: { name: user, password } }),
  ...(certificate === undefined ? {} : { userCertificate: readFileSync(certificate) }),
});
const variables = new Map<string, UAVariable>();
const add = (name: string, type: DataType, value: unknown): UAVariable => {
  const variable = plant.variable(name, type, value);
  variables.set(name, variable);
  return variable;
};

const counters = Array.from({ length: Number(items) }, (_, i) =>
  add(`Counter${i}`, DataType.Double, 0));
add("Level", DataType.Float, 12.5);
add("Count", DataType.Int64, [1, 2]);
add("Name", DataType.String, "Mühle");
add("Running", DataType.Boolean, true);
add("Began", DataType.DateTime, new Date("2026-05-04T03:02:01Z"));
add("Curve", DataType.Double, [1, 2, 3]);
add("Steps", DataType.String, ["heat", "hold"]);
const setpoint = add("Setpoint", DataType.Double, 20);

const writes: number[] = [];
setpoint.on("value_changed", (answer) => writes.push(answer.value.value as number));
const limit = add("Limit", DataType.Double, 5);
const tank = plant.namespace.addObject({
  organizedBy: plant.server.engine.addressSpace!.rootFolder.objects, browseName: "Tank",
  nodeId: "s=Tank",
});
const method = plant.namespace.addMethod(tank, {
  browseName: "SetLimit", nodeId: "s=Tank.SetLimit",
  inputArguments: [{ name: "limit", dataType: DataType.Double }], outputArguments: [],
});
method.bindMethod((inputs, _context, done) => {
  plant.set(limit, DataType.Double, inputs[0]!.value);
  done(null, { statusCode: StatusCodes.Good, outputArguments: [] });
});

const archived = add("Archived", DataType.Double, 0);
plant.server.engine.addressSpace!.installHistoricalDataNode(archived, { maxOnlineValues: 10_000 });

/** As after a restart that lost its sessions: clients must begin anew. */
function forget(): string {
  const { engine } = plant.server;
  for (const session of Object.values((engine as any)._sessions) as any[]) {
    engine.closeSession(session.authenticationToken, true, "Forcing");
  }
  return "forgotten";
}

/** The server is too busy, once. */
function refuse(): string {
  const server = plant.server as any;
  server._on_CreateMonitoredItemsRequest = (message: any, channel: any) => {
    delete server._on_CreateMonitoredItemsRequest;
    channel.send_response("MSG", new ServiceFault({
      responseHeader: { serviceResult: StatusCodes.BadTooManyOperations },
    }), message);
  };
  return "will be refused";
}

/** As of one that a person at the server, or another client, has to do with. */
function over(status: string): string {
  for (const session of Object.values((plant.server.engine as any)._sessions) as any[]) {
    for (const subscription of session.publishEngine.subscriptions) {
      subscription._addNotificationMessage(
        new StatusChangeNotification({ status: (StatusCodes as any)[status] }));
    }
  }
  return "told";
}

function forgetTold(): string {
  for (const session of Object.values((plant.server.engine as any)._sessions) as any[]) {
    for (const subscription of session.publishEngine.subscriptions) {
      subscription.getMessageForSequenceNumber = () => null;
    }
  }
  return "forgotten";
}

type Answer = [request: unknown, response: unknown];

/** What becomes of the next two answers with values, of each session. */
function spoil(put: (first: Answer, second: Answer) => Answer[]): string {
  for (const session of Object.values((plant.server.engine as any)._sessions) as any[]) {
    const engine = session.publishEngine;
    let first: Answer | null = null;
    engine._send_response_for_request = (...answer: [any, any]) => {
      const send = (one: Answer): void =>
        Object.getPrototypeOf(engine)._send_response_for_request.apply(engine, one);
      if (!answer[1].notificationMessage?.notificationData?.length) send(answer);
      else if (first === null) first = answer;
      else {
        delete engine._send_response_for_request;
        for (const one of put(first, answer)) send(one);
      }
    };
  }
  return "will be spoilt";
}

/** As asyncua does. */
function empty(): string {
  const server = plant.server as any;
  server._on_RepublishRequest = (message: any, channel: any) =>
    channel.send_response("MSG", new RepublishResponse({
      responseHeader: { serviceResult: StatusCodes.Good },
      notificationMessage: new NotificationMessage({ sequenceNumber: 0, notificationData: [] }),
    }), message);
  return "empty";
}

function full(): string {
  delete (plant.server as any)._on_RepublishRequest;
  return "full";
}

let count = 0;
let timer: ReturnType<typeof setInterval> | undefined;

function answer(line: string): string {
  const [verb, name = "", value = ""] = line.split(" ");
  if (verb === "writes") return JSON.stringify(writes);
  if (verb === "get") {
    return JSON.stringify(variables.get(name)!.readValue().value.value);
  }
  if (verb === "set") {
    const variable = variables.get(name)!;
    plant.set(variable, variable.readValue().value.dataType, JSON.parse(value));
    return "set";
  }
  if (verb === "bad") {
    variables.get(name)!.setValueFromSource(variables.get(name)!.readValue().value,
      StatusCodes.BadSensorFailure);
    return "bad";
  }
  if (verb === "uncertain") {
    variables.get(name)!.setValueFromSource(variables.get(name)!.readValue().value,
      StatusCodes.UncertainSensorNotAccurate);
    return "uncertain";
  }
  if (verb === "count") {
    clearInterval(timer);
    timer = setInterval(() => {
      count += 1;
      plant.set(archived, DataType.Double, count);
      for (const counter of counters) plant.set(counter, DataType.Double, count);
    }, Number(name));
    return "counts";
  }
  if (verb === "forget") return forget();
  if (verb === "refuse") return refuse();
  if (verb === "over") return over(name);
  if (verb === "forgetTold") return forgetTold();
  if (verb === "skip") return spoil((_, second) => [second]);
  if (verb === "swap") return spoil((first, second) => [second, first]);
  if (verb === "empty") return empty();
  if (verb === "full") return full();
  if (verb === "counted") return String(count);
  return `no such verb: ${verb}`;
}

console.log("ready");
let answered = 0;
for await (const line of console) console.log(`${++answered}: ${answer(line)}`);
await plant.stop();
process.exit(0);
