import { z } from "zod";
import type { Route } from "./route.ts";

/** OpenAPI 3.1 of the routes: derived, so that it cannot be out of date. */
export function openapi(routes: readonly Route[], version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    const parameters = [
      ...names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
      ...Object.entries(route.query ?? {}).map(([name, description]) =>
        ({ name, in: "query", description, schema: { type: "string" } })),
    ];
    (paths[route.path] ??= {})[route.method.toLowerCase()] = {
      summary: route.summary,
      parameters,
      ...(route.body === undefined ? {} : {
        requestBody: { content: { "application/json": { schema: z.toJSONSchema(route.body) } } },
      }),
      ...(route.access === "token" ? { security: [{ token: [] }] } : {}),
      ...(route.access === "socket" ? { description: "Only over the unix socket on the box" } : {}),
      responses: { 200: { description: route.answers } },
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Tagwerk", version },
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    paths,
  };
}
