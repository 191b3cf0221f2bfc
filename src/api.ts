/** REST on the network and, for the command line, on a unix socket: the same routes. */
export { startApi, routes, type Api, type ApiOptions } from "./api/server.ts";
export { openapi } from "./api/openapi.ts";
