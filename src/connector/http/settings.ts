import { z } from "zod";

/** What every request of a table or a source has. */
const request = {
  url: z.string().regex(/^https?:\/\//, "expected http:// or https://"),
  token: z.string().optional()
    .describe("sent as Authorization: Bearer; a reference: env:NAME or file:PATH"),
};

export const tableSettings = z.strictObject({
  ...request,
  url: request.url.refine((url) => url.includes("{key}"),
    "{key} stands for the key that is asked for")
    .describe("address of a row, such as http://mes.local/recipes/{key}: a JSON object with the " +
      "columns as fields, or 404 for none"),
});
export type TableSettings = z.output<typeof tableSettings>;
