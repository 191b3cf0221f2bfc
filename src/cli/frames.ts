import { appendFileSync } from "node:fs";
import type { FrameView } from "../runtime.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { count, text, word, type Verb } from "./verb.ts";

/** How often the running Tagwerk is asked for more. */
const ask_ms = 200;

/** `12:00:01.234  +3.1 ms  → 01 03 …   station 1 FC3 reads holding 9`. */
function lineOf(frame: FrameView, before: FrameView | null): string {
  const since = before === null ? "" : `+${(frame.time - before.time).toFixed(1)} ms`;
  const bytes = frame.hex.replace(/..(?=.)/g, "$& ");
  return `${new Date(frame.time).toISOString().slice(11, 23)} ${since.padStart(11)}  ` +
    `${frame.dir === "tx" ? "→" : "←"} ${bytes}${frame.text === null ? "" : `   ${frame.text}`}`;
}

export const framesVerb: Verb = {
  name: "frames",
  usage: "frames LINK",
  words: 1,
  summary: "what passes on a link to equipment, live, until Ctrl-C",
  help: `→ is what we send, ← what comes; what comes in pieces is shown in pieces. The time is that
since the piece before.
      --only TEXT     only pieces whose bytes or words contain it: "station 3", "refused", "0103"
      --to FILE       append to FILE, one JSON object a line
      --for-pieces N  end after N pieces${clientHelp}`,
  options: {
    ...clientOptions, only: { type: "string" }, to: { type: "string" },
    "for-pieces": { type: "string" },
  },
  async run(args) {
    const link = encodeURIComponent(word(args, 0, "LINK"));
    const [only, file] = [text(args, "only"), text(args, "to")];
    const most = count(args, "for-pieces", Infinity);
    const client = new Client(args);
    let before: FrameView | null = null;
    let seen = 0, shown = 0;
    for (;;) {
      const frames = await client.get(`/links/${link}/frames?after=${seen}`) as FrameView[];
      for (const frame of frames) {
        if (seen > 0 && frame.n > seen + 1) console.error(`${frame.n - seen - 1} pieces missed`);
        seen = frame.n;
        const line = lineOf(frame, before);
        before = frame;
        if (only !== null && !line.includes(only) && !frame.hex.includes(only)) continue;
        if (file !== null) appendFileSync(file, `${JSON.stringify(frame)}\n`);
        else console.log(args.options["json"] ? JSON.stringify(frame) : line);
        if (++shown >= most) return 0;
      }
      await Bun.sleep(ask_ms);
    }
  },
};
