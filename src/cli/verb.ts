import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import type { Log } from "../base.ts";
import type { Components, Runtime } from "../runtime.ts";

/** What the API is started with. */
export interface Listening {
  readonly runtime: Runtime;
  readonly listen: string;
  readonly port: number;
  readonly token: string | null;
  /** Path of the unix socket of the command line (mode 0600). */
  readonly socket: string;
  readonly version: string;
  readonly log: Log;
}

/** What the composition root hands to a verb. */
export interface Host {
  readonly components: Components;
  /** Address of this binary's second entry point, for threads. */
  readonly workerUrl: string;
  startApi(options: Listening): { readonly url: string; stop(): Promise<void> };
}

/** One verb of the command line. */
export interface Verb {
  readonly name: string;
  /** `read TAG…` */
  readonly usage: string;
  /** So many words it takes at most. */
  readonly words: number;
  /** One line. */
  readonly summary: string;
  /** More, for `tagwerk help VERB`. */
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  /** Gives the exit code: 0 done, 1 refused or wrong, 2 wrong usage. */
  run(args: Args, host: Host): Promise<number>;
}

export interface Args {
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
}

/** Wrong usage: the message, then how it would be right. */
export class Usage extends Error {}

export function readArgs(verb: Verb, argv: readonly string[]): Args {
  const args = parsed(verb, argv);
  const extra = args.words[verb.words];
  // Left aside in silence it would be taken for done.
  if (extra !== undefined) throw new Usage(`"${extra}" is one word too many`);
  return args;
}

function parsed(verb: Verb, argv: readonly string[]): Args {
  try {
    const { values, positionals } = parseArgs({
      args: valuesLast(argv), options: verb.options, allowPositionals: true, strict: true,
    });
    return { words: positionals, options: values as Args["options"] };
  } catch (thrown) {
    throw new Usage(thrown instanceof Error ? thrown.message.split(". To")[0]! : String(thrown));
  }
}

/** No option is a number: what begins like one below zero is a value. */
function valuesLast(argv: readonly string[]): string[] {
  const isValue = (word: string): boolean => /^-[\d.]/.test(word);
  return argv.includes("--") || !argv.some(isValue) ? [...argv]
    : [...argv.filter((word) => !isValue(word)), "--", ...argv.filter(isValue)];
}

/** The text of an option, or null. */
export function text(args: Args, name: string): string | null {
  const value = args.options[name];
  return typeof value === "string" ? value : null;
}

/** The whole number from 1 on of an option, or `usual` where it is left out. */
export function count(args: Args, name: string, usual: number, most = Infinity): number {
  const given = text(args, name);
  const number = Number(given ?? usual);
  if (given === null || (Number.isSafeInteger(number) && number >= 1 && number <= most)) {
    return number;
  }
  const bound = most === Infinity ? "from 1 on" : `from 1 to ${most}`;
  throw new Usage(`--${name} wants a whole number ${bound}, not "${given}"`);
}

/** The word at a place, or a usage error that names it. */
export function word(args: Args, at: number, what: string): string {
  const found = args.words[at];
  if (found === undefined) throw new Usage(`${what} is missing`);
  return found;
}
