/** Rows live in rings; these are the nouns everyone shares. */
export { Arena, fitsInto, type Block } from "./ring/arena.ts";
export { Bridge } from "./ring/bridge.ts";
export {
  ABSENT, BAD, ERROR, FLAG, GOOD, NULL, UNCERTAIN, UNCERTAIN_MAX, UNFIT_FLAGS,
  flagNames, isError, isUncertain, readsAsNull, stateName, stateOf,
} from "./ring/cell.ts";
export { categoryOf, type Category } from "./ring/category.ts";
export {
  arrayOf, Column, isNumberType, isTextType, isWritableType, itemTypes, kindBytes, meta_name,
  slotOf, spread_name, tagColumn, tagTypes, type ArrayType, type ColumnKind, type ColumnSpec,
  type Fallback, type ItemType, type Shape, type ShapeField, type TagType,
} from "./ring/column.ts";
export { CommandReader, CommandWriter } from "./ring/command-ring.ts";
export { Counters } from "./ring/counters.ts";
export { Ring, rowsFor, type RingLayout } from "./ring/ring.ts";
export { copyCell, copyCells, copyStamp, copyStamps, spoilCell } from "./ring/copy.ts";
export { hashCell, sameCell } from "./ring/key.ts";
export {
  DynReader, DynWriter, jsonOfDyn, parseDyn, type Dyn,
} from "./ring/dyn.ts";
export { gather, sourcesOf, type Sources } from "./ring/gather.ts";
export { OpenRow, open_row_bytes } from "./ring/open-row.ts";
export { packRows, unpackRows } from "./ring/pack.ts";
export { readCell, writeCell, type CellValue, type Written } from "./ring/value.ts";
export { Bell, Word } from "./ring/wake.ts";
