/** `plant/{gateway}/{rule}` with its names filled in. */
export function fill(topic: string, names: Readonly<Record<string, string>>): string {
  return topic.replaceAll(/\{(\w+)\}/g, (whole, name: string) => names[name] ?? whole);
}

/** Whether a topic is one of a filter's (MQTT 3.1.1, 4.7). */
export function matches(filter: string, topic: string): boolean {
  // Wildcards at the front do not reach the broker's own topics (4.7.2).
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  const wanted = filter.split("/");
  const levels = topic.split("/");
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === "#") return true;
    if (i >= levels.length || (wanted[i] !== "+" && wanted[i] !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}
