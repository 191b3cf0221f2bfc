import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../src/base.ts";
import { findProfile, profileNames } from "../../src/config.ts";
import { readProfile } from "../../src/config/profiles.ts";

const folder = join(import.meta.dir, "..", "..", "firmware-profiles");
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

test("every profile of the folder is in the binary, and no other", () => {
  expect([...profileNames].sort()).toEqual(files.map((name) => name.replace(/\.json$/, "")).sort());
});

for (const file of files) {
  test(`${file}: is well formed, only lowers limits, and claims no board it did not run on`, () => {
    const name = file.replace(/\.json$/, "");
    const profile = findProfile(name)!;
    const { serialPorts, ...stands } = JSON.parse(readFileSync(join(folder, file), "utf8"));
    expect(profile).toEqual({ name, serialPorts, ...stands });
    for (const [limit, value] of Object.entries(profile.limits)) {
      expect(value).toBeLessThanOrEqual(limits[limit as keyof typeof limits]);
    }
    expect(profile.verifiedOn).toBeNull();
    expect(profile.note).not.toBeUndefined();
    const paths = Object.values(profile.serialPorts).map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
  });
}

const sound = JSON.parse(readFileSync(join(folder, "generic-1gb.json"), "utf8"));

test("a profile that raises a limit, or names an unknown one, is a bug", () => {
  const raised = { ...sound, limits: { columns_max: limits.columns_max + 1 } };
  expect(() => readProfile("x", raised)).toThrow("columns_max = 16385 is above 16384");
  expect(() => readProfile("x", { ...sound, limits: { colums_max: 1 } })).toThrow("no limit");
  expect(() => readProfile("x", { ...sound, memory: 5 })).toThrow("firmware profile x");
  expect(findProfile("toString")).toBeNull();
});
