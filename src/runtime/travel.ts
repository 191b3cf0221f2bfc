import type { Components, GroupPlan, LinkPlan } from "./graph.ts";

interface Linked {
  readonly links: readonly LinkPlan[];
}

type SentLink = Pick<LinkPlan, "link"> &
  { readonly groups: readonly Omit<GroupPlan, "requests">[] };

/** As it travels to another thread: plain data, without what is the drivers' own. */
export type Sent<T extends Linked> = Omit<T, "links"> & { readonly links: readonly SentLink[] };

export const sent = <T extends Linked>(whole: T): Sent<T> => ({
  ...whole,
  links: whole.links.map(({ link, groups }) =>
    ({ link, groups: groups.map(({ requests: _, ...group }) => group) })),
});

/** On the other thread: what the drivers planned, it plans again. */
export const received = <T extends Linked>(whole: Sent<T>, { drivers }: Components): T => ({
  ...whole,
  links: whole.links.map(({ link, groups }): LinkPlan => {
    const driver = drivers.find(({ type }) => type === link.type)!;
    return { link, driver, groups: groups.map((group) =>
      ({ ...group, requests: driver.plan(group.tags, link) })) };
  }),
}) as unknown as T;
