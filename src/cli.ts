import { Fault, nearest } from "./base.ts";
import { ackVerb, alarmsVerb, shelveVerb } from "./cli/alarms.ts";
import { applyVerb, confirmVerb } from "./cli/apply.ts";
import { armVerb } from "./cli/arm.ts";
import { auditVerb } from "./cli/audit.ts";
import { browseVerb } from "./cli/browse.ts";
import { checkVerb } from "./cli/check.ts";
import { disarmVerb } from "./cli/disarm.ts";
import { examineVerb } from "./cli/examiner.ts";
import { explainVerb } from "./cli/explain.ts";
import { fatReportVerb } from "./cli/fat-report.ts";
import { framesVerb } from "./cli/frames.ts";
import { functionsVerb } from "./cli/functions.ts";
import { disableVerb, enableVerb, forceVerb } from "./cli/override.ts";
import { planVerb } from "./cli/plan.ts";
import { proveVerb } from "./cli/prove.ts";
import { readVerb } from "./cli/read.ts";
import { rulesVerb } from "./cli/rules.ts";
import { runVerb } from "./cli/run.ts";
import { scanVerb } from "./cli/scan.ts";
import { schemaVerb } from "./cli/schema.ts";
import { simVerb } from "./cli/sim.ts";
import { readArgs, Usage, type Host, type Verb } from "./cli/verb.ts";
import { statusVerb } from "./cli/status.ts";
import { tagsVerb } from "./cli/tags.ts";
import { trustVerb } from "./cli/trust.ts";
import { tryVerb } from "./cli/try.ts";
import { versionVerb } from "./cli/version.ts";
import { watchVerb } from "./cli/watch.ts";
import { whyVerb } from "./cli/why.ts";
import { writeVerb } from "./cli/write.ts";

const verbs: readonly Verb[] = [
  runVerb, checkVerb, simVerb, statusVerb, readVerb, watchVerb, whyVerb, rulesVerb, explainVerb,
  tryVerb, planVerb, applyVerb, confirmVerb, writeVerb, armVerb, proveVerb, fatReportVerb,
  disarmVerb, auditVerb, alarmsVerb, ackVerb, shelveVerb, framesVerb, scanVerb, forceVerb,
  disableVerb, enableVerb, browseVerb, trustVerb, functionsVerb, tagsVerb, schemaVerb, versionVerb,
];

const overview = `Tagwerk: from a PLC register to a guarded PLC write, in one file.

  tagwerk VERB …

${verbs.map((verb) => `  ${verb.usage.split(" | ")[0]!.padEnd(32)} ${verb.summary}`).join("\n")}

  tagwerk help VERB                what a verb takes

Begin with:  tagwerk check gateway.json
             tagwerk sim gateway.json          a simulated plant, in another terminal
             tagwerk run gateway.json --links sim-links.json`;

function helpOf(verb: Verb): string {
  return `tagwerk ${verb.usage}\n${verb.summary}\n${verb.help}`.trimEnd();
}

function find(name: string): Verb {
  const verb = [...verbs, examineVerb].find((v) => v.name === name);
  if (verb !== undefined) return verb;
  const close = nearest(name, verbs.map((v) => v.name));
  throw new Usage(`there is no verb "${name}"${close === null ? "" : `; did you mean ${close}?`}`);
}

/** Runs one command line; gives the exit code. */
export async function cli(argv: readonly string[], host: Host): Promise<number> {
  const [name, ...rest] = argv;
  try {
    if (name === undefined || name === "--help" || name === "-h" ||
      (name === "help" && rest.length === 0)) {
      console.log(overview);
      return name === undefined ? 2 : 0;
    }
    if (name === "--version") return await versionVerb.run({ words: [], options: {} }, host);
    if (name === "help" || rest.includes("--help") || rest.includes("-h")) {
      console.log(helpOf(find(name === "help" ? rest[0]! : name)));
      return 0;
    }
    const verb = find(name);
    return await verb.run(readArgs(verb, rest), host);
  } catch (thrown) {
    if (thrown instanceof Usage) {
      const verb = verbs.find((v) => v.name === name);
      const usage = verb ? `usage: tagwerk ${verb.usage}` : "tagwerk --help";
      console.error(`tagwerk: ${thrown.message}\n${usage}`);
      return 2;
    }
    if (!(thrown instanceof Fault)) throw thrown;
    const [sentence, ...more] = thrown.message.split("\n");
    console.error([`tagwerk: ${sentence} [${thrown.code}]`, ...more].join("\n"));
    return 1;
  }
}
