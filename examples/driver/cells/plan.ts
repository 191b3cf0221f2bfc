import { Fault } from "../../../src/base.ts";
import type { DriverTag, Request } from "../../../src/driver.ts";
import { bytesOf, NumberField, numberProblem } from "../../../src/driver/wire/value.ts";
import { cells_max } from "./frame.ts";

/** A tag as the driver sees it. */
export class Field {
  readonly tag: DriverTag;
  readonly cell: number;
  readonly number: NumberField;

  constructor(tag: DriverTag) {
    this.tag = tag;
    this.cell = cellOf(tag.at);
    this.number = new NumberField(tag, "high first");
  }
}

function cellOf(at: string): number {
  const [, digits] = /^cell (\d+)$/.exec(at) ?? [];
  const cell = Number(digits);
  if (cell <= 0xffff) return cell;
  throw new Fault("cells-address", `\`${at}\` is no cell; write \`cell 12\` (0 to 65535)`, { at });
}

/** One sentence of what would be right for this tag, or null. */
export function tagProblem(tag: DriverTag): string | null {
  try {
    cellOf(tag.at);
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown.message;
    throw thrown;
  }
  if (bytesOf(tag.type) === 0) return `a cell holds a number: ${tag.type} is none`;
  return numberProblem(tag, "the box");
}

/** One read of neighbouring cells. */
export class CellsRequest implements Request {
  readonly station: number;
  readonly tags: readonly DriverTag[];
  readonly text: string;
  readonly fields: readonly Field[];
  readonly first: number;
  readonly count: number;

  constructor(fields: readonly Field[]) {
    this.fields = fields;
    this.tags = fields.map(({ tag }) => tag);
    this.station = this.tags[0]!.station;
    this.first = fields[0]!.cell;
    this.count = fields.at(-1)!.cell - this.first + 1;
    this.text = this.count === 1 ? `cell ${this.first}`
      : `cells ${this.first}..${this.first + this.count - 1}`;
  }
}

/** Few reads for many tags: what one frame has room for. */
export function planReads(tags: readonly DriverTag[]): CellsRequest[] {
  const fields = tags.map((tag) => new Field(tag)).sort((a, b) => a.cell - b.cell);
  const requests: Field[][] = [];
  for (const field of fields) {
    const open = requests.at(-1);
    if (open !== undefined && field.cell - open[0]!.cell < cells_max) open.push(field);
    else requests.push([field]);
  }
  return requests.map((of) => new CellsRequest(of));
}

/** Two reads in the place of one that the box refused, until the cell is found that it lacks. */
export function split({ fields }: CellsRequest): readonly [CellsRequest, CellsRequest] | null {
  if (fields.length < 2) return null;
  const middle = fields.length >> 1;
  return [new CellsRequest(fields.slice(0, middle)), new CellsRequest(fields.slice(middle))];
}
