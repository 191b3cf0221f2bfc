/**
 * `flood.ts URL PATH[,PATH] CONNECTIONS MS [BODY]`: asks without a pause, or posts a body, and
 * prints how often each status was answered; before that, once, what was said with 503.
 */
const [url, paths, connections, span, body] = process.argv.slice(2) as
  [string, string, string, string, string?];
const init = body === undefined ? {}
  : { method: "POST", body, headers: { "content-type": "application/json" } };
/** From the first answer on. */
let until = Infinity;
const statuses: Record<string, number> = {};
const asked = paths.split(",");

await Promise.all(Array.from({ length: Number(connections) }, async (_, i) => {
  for (let n = i; performance.now() < until; n++) {
    const response = await fetch(`${url}${asked[n % asked.length]}`, init);
    const text = await response.text();
    if (response.status === 503 && statuses[503] === undefined) console.log(text);
    if (until === Infinity) until = performance.now() + Number(span);
    statuses[response.status] = (statuses[response.status] ?? 0) + 1;
  }
}));
console.log(JSON.stringify(statuses));

export {};
