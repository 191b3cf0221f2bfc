export * from "./config/model.ts";
