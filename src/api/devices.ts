import { Fault } from "../base.ts";
import type { Route } from "./route.ts";

export const deviceRoutes: readonly Route[] = [
  {
    method: "GET", path: "/devices", access: "read",
    summary: "Every device with its tags, newest values, qualities and ages",
    answers: "A list",
    async handle({ runtime }) {
      return { json: await runtime.devices() };
    },
  },
  {
    method: "GET", path: "/devices/{name}", access: "read",
    summary: "One device",
    answers: "The device; 404 if there is none of this name",
    async handle({ runtime, params }) {
      const device = (await runtime.devices()).find((d) => d.name === params["name"]);
      if (device === undefined) {
        throw new Fault("unknown-device", `There is no device ${params["name"]}`);
      }
      return { json: device };
    },
  },
  {
    method: "GET", path: "/tags/{id}", access: "read",
    summary: "Newest value of one tag, by device.tag",
    answers: "Value, quality, time and age",
    async handle({ runtime, params }) {
      return { json: await runtime.tag(params["id"]!) };
    },
  },
  {
    method: "GET", path: "/tags/{id}/why", access: "read",
    summary: "Why a tag has the value and quality it has, from device to gate",
    answers: "Link, last frame, reason, rules that read it, the gate's last decision, hashes",
    async handle({ runtime, params }) {
      return { json: await runtime.why(params["id"]!) };
    },
  },
];
