/** The configuration of the measured binary: one source, one rule that all rows pass, one sink. */
export const columns = {
  id: "int64", temperature: "float64", pressure: "float64", running: "bool",
  recipe: "text(16)", note: "text(160)",
} as const;

export function gateway(port: number, from: string, to: string, directory: string): object {
  return {
    gateway: { id: "bench", profile: "generic-1gb" },
    links: { broker: { type: "mqtt", host: "127.0.0.1", port } },
    sources: {
      messages: { type: "mqtt", link: "broker", topic: from, rowsPerSecond: 4000, columns },
    },
    rules: {
      pass: {
        sql: "SELECT id, temperature, pressure, running, recipe, note FROM messages " +
          "WHERE temperature > -100",
        to: ["out"],
      },
    },
    sinks: { out: { type: "mqtt", link: "broker", topic: to } },
    api: { listen: "127.0.0.1:0" },
    store: { directory },
  };
}
