import { z } from "zod";
import { duration } from "../base.ts";

/**
 * How one tag of the simulated plant behaves: the entries of plant.json. Numbers are in the tag's
 * engineering units; a bool is 0 or 1, and `true`/`false` may be written for it.
 */
const level = z.union([z.number(), z.boolean().transform(Number)]);
/** What a tag that holds a text may be set to, too. */
const written = z.union([z.number(), z.boolean().transform(Number), z.string()]);
const ms = z.string().transform((text, context): number => {
  const parsed = duration(text);
  if (parsed !== null && parsed > 0) return parsed;
  context.addIssue(`a duration with a unit is needed, such as "500ms", "8s" or "2m"`);
  return z.NEVER;
});
const sigma = z.number().min(0).default(0)
  .describe("standard deviation of the reading's noise; it never goes past 3.5 of them");
const tag = z.string().describe("`device.tag` of another tag of the plant");

const wave = { min: level, max: level, period: ms, noise: sigma };

export const behaviour = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("constant"), value: written, noise: sigma }),
  z.strictObject({
    kind: z.literal("follow"),
    value: written.default(0).describe("value before the first write; then what was written"),
  }),
  z.strictObject({ kind: z.literal("sine"), ...wave, phase: z.number().default(0) }),
  z.strictObject({ kind: z.literal("saw"), ...wave }),
  z.strictObject({ kind: z.literal("square"), ...wave }),
  z.strictObject({
    kind: z.literal("walk"), start: level, min: level, max: level,
    step: z.number().positive().describe("most it moves at once"),
    every: ms.default(1000),
  }),
  z.strictObject({
    kind: z.literal("counter"), start: level.default(0),
    rate: z.number().describe("a second; with `of`: times the value of that tag"),
    of: tag.optional(),
    wrap: z.number().positive().optional().describe("starts again at 0 when it gets here"),
  }),
  z.strictObject({
    kind: z.literal("vessel"), start: level,
    valve: tag.describe("the tag that heats it, in %"),
    gain: z.number().describe("degrees above ambient for each % in the steady state"),
    ambient: z.union([z.number(), tag]).default(20),
    tau: ms.describe("time constant with the door closed"),
    door: tag.optional().describe("true = closed"),
    doorLoss: z.number().min(0).default(0.5)
      .describe("extra loss while the door is open, as a share of the loss with it closed"),
    noise: sigma,
  }),
  z.strictObject({
    kind: z.literal("door"), opens: ms.describe("for so long"), every: ms,
    after: ms.optional().describe("first time; absent = `every`"),
    closed: level.default(1).describe("value while closed; open is the opposite"),
  }),
]);

export type Behaviour = z.output<typeof behaviour>;
export const kinds: readonly string[] = behaviour.options.map((o) => o.shape.kind.value);
