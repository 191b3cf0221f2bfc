/** The baseline: an `mqtt` client that parses each message and publishes it again. */
import { connect } from "mqtt";

const [port, from, to] = process.argv.slice(2);
const client = connect({ protocol: "mqtt", host: "127.0.0.1", port: Number(port) });
client.on("message", (_topic, message) => {
  const { id, temperature, pressure, running, recipe, note } = JSON.parse(message.toString()) as
    Record<string, unknown>;
  client.publish(to!, JSON.stringify({ id, temperature, pressure, running, recipe, note }));
});
client.on("connect", () => client.subscribe(from!));
