import { z } from "zod";
import { assert, duration, limits } from "../base.ts";
import type { Profile } from "./model.ts";
import generic1gb from "../../firmware-profiles/generic-1gb.json" with { type: "json" };
import generic256mb from "../../firmware-profiles/generic-256mb.json" with { type: "json" };
import generic512mb from "../../firmware-profiles/generic-512mb.json" with { type: "json" };
import imx8m from "../../firmware-profiles/imx8m.json" with { type: "json" };
import raspberryPi4 from "../../firmware-profiles/raspberry-pi-4.json" with { type: "json" };
import raspberryPi5 from "../../firmware-profiles/raspberry-pi-5.json" with { type: "json" };
import raspberryPiZero2w
  from "../../firmware-profiles/raspberry-pi-zero-2w.json" with { type: "json" };
import revolutionPiConnect4
  from "../../firmware-profiles/revolution-pi-connect-4.json" with { type: "json" };
import siemensIot2050 from "../../firmware-profiles/siemens-iot2050.json" with { type: "json" };

/** Every profile stands in the binary: a gateway needs no file beside it. */
const files: Readonly<Record<string, unknown>> = {
  "generic-1gb": generic1gb,
  "generic-256mb": generic256mb,
  "generic-512mb": generic512mb,
  imx8m,
  "raspberry-pi-4": raspberryPi4,
  "raspberry-pi-5": raspberryPi5,
  "raspberry-pi-zero-2w": raspberryPiZero2w,
  "revolution-pi-connect-4": revolutionPiConnect4,
  "siemens-iot2050": siemensIot2050,
};

const delay = z.string().refine((text) => duration(text) !== null, "a duration as 2ms");
const schema = z.strictObject({
  title: z.string().min(1),
  target: z.enum(["linux-x64", "linux-arm64", "linux-arm64-musl", "any"]),
  memoryMB: z.int().min(32),
  threads: z.union([z.literal(1), z.literal(3)]),
  clock: z.enum(["synced", "trusted"]),
  watchdog: z.string().nullable(),
  serialPorts: z.record(z.string(), z.strictObject({
    path: z.string().startsWith("/dev/"),
    rs485: z.enum(["kernel", "adapter"]).nullable(),
    line: z.strictObject({
      rtsOn: z.enum(["send", "receive"]), rtsDelayBefore: delay, rtsDelayAfter: delay,
    }).partial().optional(),
    note: z.string().optional(),
  })),
  limits: z.record(z.string(), z.number().min(0)),
  verifiedOn: z.iso.date().nullable(),
  note: z.string().optional(),
});

export const profileNames: readonly string[] = Object.keys(files);

/** A profile of the binary; a wrong one is a bug, since it was built in. */
export function findProfile(name: string): Profile | null {
  const file = Object.hasOwn(files, name) ? files[name] : undefined;
  return file === undefined ? null : readProfile(name, file);
}

/** A profile may only lower a limit. */
export function readProfile(name: string, file: unknown): Profile {
  const parsed = schema.safeParse(file);
  assert(parsed.success, `firmware profile ${name}: ${parsed.error?.message}`);
  for (const [limit, value] of Object.entries(parsed.data.limits)) {
    const bound = Object.hasOwn(limits, limit) ? limits[limit as keyof typeof limits] : undefined;
    assert(bound !== undefined, `firmware profile ${name}: no limit ${limit}`);
    assert(value <= bound, `firmware profile ${name}: ${limit} = ${value} is above ${bound}`);
  }
  const { note, ...rest } = parsed.data;
  return { name, ...rest, ...(note === undefined ? {} : { note }) } as Profile;
}
