import { stateName } from "../../src/ring.ts";
import type { Row } from "./evaluate.ts";

const leftOut = /^(\d+) rows? left out: a condition or a key failed$/;

/** Rows of a rule that sends errors: behind what it shows, the first of it that is an error. */
export function withErrors(rows: readonly Row[]): Row[] {
  return rows.map((row) => {
    const cells = [...row.cells];
    const shown = cells.filter(([name]) => !name.startsWith("$"));
    const wrong = shown.find(([, { state }]) => state >= 194);
    const error = wrong === undefined ? { value: null, state: 192 }
      : { value: `${wrong[0]}: ${stateName(wrong[1].state)}`, state: 0 };
    const hidden = cells.filter(([name]) => name.startsWith("$"));
    return { ...row, cells: new Map([...shown, ["error", error], ...hidden]) };
  });
}

/** Rows of such a rule without those that tell of others, and of how many these tell. */
export function apart(rows: readonly Row[]): { results: Row[]; leftOut: number } {
  const told = rows.map(({ cells }) => leftOut.exec(String(cells.get("error")!.value)));
  return {
    results: rows.filter((_, i) => told[i] === null),
    leftOut: told.reduce((sum, found) => sum + Number(found?.[1] ?? 0), 0),
  };
}
