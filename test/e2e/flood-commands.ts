import mqtt from "mqtt";

/**
 * `flood-commands.ts PORT TOPIC RATE MS`: so many messages a second of which no one can be carried
 * out, every other one an id of its own; prints how many it sent.
 */
const [port, topic, rate, span] = process.argv.slice(2) as [string, string, string, string];
const client = await mqtt.connectAsync({ host: "127.0.0.1", port: Number(port) });
const began = performance.now();
let sent = 0;
while (performance.now() - began < Number(span)) {
  for (; sent < (performance.now() - began) / 1000 * Number(rate); sent++) {
    const text = JSON.stringify(sent % 2 === 0
      ? { junk: sent }
      : { id: `flood-${process.pid}-${sent}`, tag: "oven.setpoint", value: 500,
        deadline: Date.now() + 5000 });
    client.publish(topic, text);
  }
  await Bun.sleep(5);
}
await client.endAsync();
console.log(JSON.stringify({ sent }));
