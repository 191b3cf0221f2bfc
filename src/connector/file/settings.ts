import { z } from "zod";

export const csvSettings = z.strictObject({
  file: z.string().min(1).describe("CSV file with a header, relative to the configuration; it is " +
    "read again when it has changed"),
});
export type CsvSettings = z.output<typeof csvSettings>;
