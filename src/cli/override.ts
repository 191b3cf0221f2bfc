import { duration, formatDuration } from "../base.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { text, Usage, word, type Args, type Verb } from "./verb.ts";

function nameOf(args: Args): string {
  const by = text(args, "by");
  if (by === null || by === "") throw new Usage("--by NAME is missing");
  return by;
}

const options = { ...clientOptions, by: { type: "string" } } as const;

function deviceVerb(name: "disable" | "enable", summary: string, help: string): Verb {
  return {
    name, usage: `${name} DEVICE --by NAME`, words: 1, summary,
    help: `${help}
      --by NAME       who wants it; it stands in the audit${clientHelp}`,
    options,
    async run(args) {
      const device = word(args, 0, "DEVICE");
      await new Client(args).post(`/devices/${encodeURIComponent(device)}/${name}`,
        { by: nameOf(args) });
      console.log(`${device} is ${name}d`);
      return 0;
    },
  };
}

export const disableVerb = deviceVerb("disable", "leave a device alone, until enable",
  `Nothing is asked of it and nothing is sent to it; its tags are bad:disabled and are disarmed. It
stays so over restarts. Other devices of the link go on.`);

export const enableVerb = deviceVerb("enable", "ask a device again that was disabled",
  "Its tags want arming anew.");

/** As it would stand in JSON; else it is a text. */
function valueOf(given: string): number | boolean | string {
  if (given === "true" || given === "false") return given === "true";
  const number = Number(given);
  return given.trim() !== "" && Number.isFinite(number) ? number : given;
}

export const forceVerb: Verb = {
  name: "force",
  usage: "force TAG VALUE --for TIME --by NAME | force TAG --end --by NAME",
  words: 2,
  summary: "put a value in the place of a reading, for a while",
  help: `For commissioning: rules see the value as if the device said it. It writes nothing to the
device, its quality is uncertain:forced, and nothing computed from it reaches a machine. What comes
unasked shows it with the next telegram. It ends by time, with --end, and with the process.
      --for TIME      how long, as 10m (at most 60m)
      --end           show again what the device says
      --by NAME       who wants it; it stands in the audit${clientHelp}`,
  options: { ...options, for: { type: "string" }, end: { type: "boolean" } },
  async run(args) {
    const tag = word(args, 0, "TAG");
    const by = nameOf(args);
    const path = `/tags/${encodeURIComponent(tag)}`;
    if (args.options["end"] === true) {
      await new Client(args).post(`${path}/unforce`, { by });
      console.log(`${tag} shows what the device says`);
      return 0;
    }
    const value = valueOf(word(args, 1, "VALUE"));
    const time = duration(text(args, "for") ?? "");
    if (time === null || time <= 0) throw new Usage("--for wants a time with a unit, as 10m");
    await new Client(args).post(`${path}/force`, { value, for: formatDuration(time), by });
    console.log(`${tag} is forced to ${JSON.stringify(value)} for ${formatDuration(time)}`);
    return 0;
  },
};
