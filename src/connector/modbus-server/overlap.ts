import type { LinkUse, UseProblem } from "../../config.ts";
import { shownRegisters, writtenRegisters, type Register } from "./map.ts";
import type { Modbus } from "./modbus.ts";
import type { SinkSettings, SourceSettings } from "./settings.ts";

/** Where a register of one source or sink lies. */
interface Place {
  readonly use: LinkUse;
  readonly register: Register;
  readonly area: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Registers of one link that share words. Only what is written may lie where something is shown,
 * if it is the same value: there clients read what is and write what they want.
 */
export function overlaps(uses: readonly LinkUse[], modbus: Modbus): UseProblem[] {
  const places = uses.flatMap((use): Place[] => registersOf(use).map((register) =>
    ({ use, register, ...modbus.extent(register.tag) })));
  places.sort((a, b) => (a.area === b.area ? a.from - b.from : a.area < b.area ? -1 : 1));
  const problems: UseProblem[] = [];
  places.forEach((place, i) => {
    for (let k = i - 1; k >= 0 && places[k]!.area === place.area; k--) {
      const other = places[k]!;
      if (other.to < place.from || isPair(other, place)) continue;
      problems.push({ use: place.use, path: ["registers", place.register.at],
        why: `shares words with ${other.register.at} of ${other.use.section}.${other.use.name}, ` +
          `a ${other.register.tag.type}` });
      break;
    }
  });
  return problems;
}

function registersOf({ section, settings }: LinkUse): readonly Register[] {
  return section === "sinks" ? shownRegisters(settings as SinkSettings)
    : writtenRegisters(settings as SourceSettings);
}

/** One is shown, the other written, and both mean the same. */
function isPair(a: Place, b: Place): boolean {
  const [one, other] = [a.register.tag, b.register.tag];
  return a.use.section !== b.use.section && a.from === b.from && a.to === b.to &&
    one.type === other.type && one.wordOrder === other.wordOrder && one.scale === other.scale &&
    one.offset === other.offset;
}
