import type { TagOnLink } from "../../config.ts";
import { tagColumn, type TagType } from "../../ring.ts";
import type { RegisterText, SinkSettings, SourceSettings, WrittenText } from "./settings.ts";

/** What stands in a register: a value, how good it is, or how often it came. */
export type Shown = "value" | "quality" | "counter";

/** One register, or several that hold one value. */
export interface Register {
  /** As the configuration spells it. */
  readonly at: string;
  readonly tag: TagOnLink;
}

export interface ShownRegister extends Register {
  readonly shown: Shown;
  /** `device.tag`, or `rule.column`. */
  readonly name: string;
  /** What stands there while there is no value; null: nothing that could be taken for one. */
  readonly onBad: number | "hold" | null;
}

export interface WrittenRegister extends Register {
  readonly column: string;
}

interface Form {
  readonly type?: TagType | undefined;
  readonly scale?: number | undefined;
  readonly offset?: number | undefined;
  readonly wordOrder?: TagOnLink["wordOrder"] | undefined;
}

function tagOf(at: string, form: Form, preset: TagType, writable: boolean): TagOnLink {
  const { type = preset, scale = 1, offset = 0, wordOrder = "ABCD" } = form;
  return { id: at, station: 1, at, type, scale, offset, decimals: null, signal: null, wordOrder,
    writable, column: -1 };
}

/** A coil or discrete input, or one bit of a register. */
const isBit = (at: string): boolean =>
  /^(?:coil|discrete)\b|^(?:\d+!)?[01]\d{4,6}$|\.\d{1,2}$/.test(at.trim());

/** What clients read, in the order of the configuration. */
export function shownRegisters({ registers }: Pick<SinkSettings, "registers">): ShownRegister[] {
  return Object.entries(registers).map(([at, text]: [string, RegisterText]): ShownRegister => {
    const form = typeof text === "string" ? { value: text } : text;
    if ("quality" in form) {
      return { at, tag: tagOf(at, {}, "uint16", false), shown: "quality", name: form.quality,
        onBad: null };
    }
    if ("counter" in form) {
      return { at, tag: tagOf(at, {}, "uint16", false), shown: "counter", name: form.counter,
        onBad: null };
    }
    const tag = tagOf(at, form, isBit(at) ? "bool" : "float32", false);
    return { at, tag, shown: "value", name: form.value, onBad: form.onBad ?? null };
  });
}

/** What clients write, in the order of the configuration. */
export function writtenRegisters(
  { registers }: Pick<SourceSettings, "registers">,
): WrittenRegister[] {
  return Object.entries(registers).map(([at, text]: [string, WrittenText]): WrittenRegister => {
    const form = typeof text === "string" ? { column: text } : text;
    return { at, column: form.column, tag: tagOf(at, form, isBit(at) ? "bool" : "float32", true) };
  });
}

/** The kind of column that the values of a register fit. */
export const kindOf = ({ type, scale, offset }: TagOnLink): string =>
  tagColumn("", type, scale !== 1 || offset !== 0).kind;
