import { BAD, stateOf } from "../ring.ts";
import type { Tag } from "../config.ts";
import type { LinkPlan } from "./graph.ts";
import type { LinkView, StationView, TagView } from "./view.ts";

/** Why a tag has the quality it has, as a sentence that says what to try where that is known. */
export function reasonOf(
  tag: TagView, link: LinkView, station: StationView | undefined, plan: LinkPlan,
): string {
  const { quality } = tag;
  if (quality === "bad:disabled") return "a person had the device left alone: tagwerk enable";
  if (quality === "uncertain:forced") return "a person forced the value: tagwerk force TAG --end";
  if (quality === "bad:broadcast") {
    return "it is a broadcast: all stations obey what is written, none answers, nothing is read";
  }
  const read = plan.groups.flatMap(({ tags }) => tags).find((one) => one.is(tag.id)) ?? null;
  if (quality === "good") return `the last poll read it${orderAdvice(tag, read, plan)}`;
  if (link.state !== "open") {
    // Who refuses and then ends the connection said why before it did.
    const refusal = station?.reason === "bad:exception" && station.advice !== ""
      ? `; the last answer was a refusal: ${station.advice}` : "";
    return `the link is ${link.state}: ${link.reason}${refusal}`;
  }
  const said = link.refusals?.[tag.id];
  if (said !== undefined) return `the poll gave ${quality}: ${said}`;
  const isOwn = quality === "bad:address" || station === undefined || station.reason === "good";
  const advice = adviceOn(tag, link, station, read, plan);
  return (isOwn ? `the poll gave ${quality}` : `the station's last exchange: ${station.reason}`) +
    (advice === null ? "" : `: ${advice}`);
}

function adviceOn(
  { quality }: TagView, { stations }: LinkView, station: StationView | undefined,
  tag: Tag | null, { driver, link }: LinkPlan,
): string | null {
  const number = station?.station ?? tag?.station ?? 0;
  return driver.advise({
    station: number, tag, state: stateOf(quality) ?? BAD.initial,
    exception: station?.exception ?? 0, answered: (station?.lastGood_ms ?? null) !== null,
    othersAnswer: stations.some((one) =>
      one.station !== number && one.lastGood_ms !== null && one.failures === 0),
  }, link);
}

const orders = ["ABCD", "CDAB", "BADC", "DCBA"] as const;
/** Floats that hardly a machine means, and those that many do. */
const least = { odd: 1e-6, usual: 1e-2 }, most = { odd: 1e10, usual: 1e6 };
const word = 65536;

/** A number that looks like one whose words stand in another order. */
function orderAdvice(
  { value }: TagView, tag: Tag | null, { driver, link }: LinkPlan,
): string {
  if (tag === null || typeof value !== "number" || value === 0) return "";
  const isFloat = tag.type.startsWith("float");
  const size = Math.abs(value);
  const isOdd = isFloat ? size < least.odd || size > most.odd : value % word === 0;
  if (!isOdd || !/32|64/.test(tag.type)) return "";
  const { bytes } = driver.encode(tag.with({ writable: true }), value, link);
  for (const wordOrder of orders) {
    const other = Number(driver.decode(tag.with({ wordOrder }), bytes));
    const usual = Math.abs(other);
    const isUsual = isFloat ? usual >= least.usual && usual <= most.usual : usual < word;
    if (other !== value && other !== 0 && isUsual) {
      return `; if ${value} is not right: with "wordOrder": "${wordOrder}" it is ` +
        Number(other.toPrecision(7));
    }
  }
  return "";
}
