/**
 * `flood.ts URL PATH[,PATH] CONNECTIONS MS`: asks without a pause, and prints how often each status
 * was answered.
 */
const [url, paths, connections, span] = process.argv.slice(2) as [string, string, string, string];
const until = performance.now() + Number(span);
const statuses: Record<string, number> = {};
const asked = paths.split(",");

await Promise.all(Array.from({ length: Number(connections) }, async (_, i) => {
  for (let n = i; performance.now() < until; n++) {
    const response = await fetch(`${url}${asked[n % asked.length]}`);
    await response.text();
    statuses[response.status] = (statuses[response.status] ?? 0) + 1;
  }
}));
console.log(JSON.stringify(statuses));

export {};
