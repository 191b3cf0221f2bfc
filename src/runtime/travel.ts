import { Tag, type Device, type Gateway, type Group, type TagSpec } from "../config.ts";
import type { Components, GroupPlan, LinkPlan } from "./graph.ts";

interface Whole {
  readonly gateway: Gateway;
  readonly links: readonly LinkPlan[];
}

type SentGroup = Omit<Group, "tags"> & { readonly specs: readonly TagSpec[] };
type SentDevice = Omit<Device, "groups"> & { readonly groups: readonly SentGroup[] };
type SentLink = Pick<LinkPlan, "link"> &
  { readonly groups: readonly Omit<GroupPlan, "tags">[] };

/**
 * As it travels to another thread: plain data, without what is the drivers' own, and of tags only
 * what equal devices share.
 */
export type Sent<T extends Whole> = Omit<T, "gateway" | "links"> & {
  readonly gateway: Omit<Gateway, "devices"> & { readonly devices: readonly SentDevice[] };
  readonly links: readonly SentLink[];
};

export const sent = <T extends Whole>(whole: T): Sent<T> => ({
  ...whole,
  gateway: { ...whole.gateway, devices: whole.gateway.devices.map((device) => ({
    ...device,
    groups: device.groups.map(({ tags, ...group }) => ({ ...group, specs: specsOf(tags) })),
  })) },
  links: whole.links.map(({ link, groups }) =>
    ({ link, groups: groups.map(({ tags: _, ...group }) => group) })),
});

/** On the other thread. */
export function received<T extends Whole>(whole: Sent<T>, { drivers }: Components): T {
  const tags = new Map<string, readonly Tag[]>();
  const devices = whole.gateway.devices.map((device): Device => ({
    ...device,
    groups: device.groups.map(({ specs, ...group }) => {
      const own = tagsOf(device, specs);
      tags.set(`${device.name}.${group.name}`, own);
      return { ...group, tags: own };
    }),
  }));
  const links = whole.links.map(({ link, groups }): LinkPlan => {
    const driver = drivers.find(({ type }) => type === link.type)!;
    return { link, driver, groups: groups.map((group) =>
      ({ ...group, tags: tags.get(group.stream)! })) };
  });
  return { ...whole, gateway: { ...whole.gateway, devices }, links } as unknown as T;
}

export const specsOf = (tags: readonly Tag[]): TagSpec[] => tags.map(({ spec }) => spec);

export function tagsOf(
  { name, station }: Pick<Device, "name" | "station">, specs: readonly TagSpec[],
): Tag[] {
  const home = { name, station };
  return specs.map((spec) => new Tag(home, spec));
}
