import { z } from "zod";
import { patternFault, zoneFault } from "../base.ts";

/** What every source of messages can say about them, beside its columns. */
export const messageSettings = {
  format: z.enum(["json", "cbor"]).default("json")
    .describe("what a message is: an object, or an array of objects, in JSON or CBOR"),
  time: z.string().optional().describe("the column that holds the source time"),
  timeFormat: z.string().refine((pattern) => patternFault(pattern) === null,
    "expected a pattern of a time, such as \"yyyy-MM-dd HH:mm:ss\"; text in it stands between " +
    "single quotes").optional()
    .describe("how times are written that are texts; ISO 8601 if left out"),
  timeZone: z.string().refine((name) => zoneFault(name) === null,
    'expected a time zone, such as "Europe/Berlin", "UTC" or "+05:30"').default("UTC")
    .describe("of times that are texts and name no zone"),
  strict: z.boolean().default(false)
    .describe("true: a row of which a value is missing or wrong is refused and counted, instead " +
      "of having an error in that column"),
};
