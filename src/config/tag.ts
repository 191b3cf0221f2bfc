import type { TagType } from "../ring.ts";
import type { TagOnLink } from "./model.ts";

/** What a tag is in whichever device it stands: devices of one type have it once. */
export interface TagSpec extends Omit<TagOnLink, "id" | "station"> {
  readonly name: string;
  readonly eu: string | null;
}

/** What the tags of one device share. */
export interface TagHome {
  /** Of the device. */
  readonly name: string;
  readonly station: number;
}

/**
 * One object for each tag of a plant, and there may be hundreds of thousands: so it is two
 * references, to what equal devices share and to what the tags of one device do.
 */
export class Tag implements TagOnLink {
  readonly home: TagHome;
  readonly spec: TagSpec;

  constructor(home: TagHome, spec: TagSpec) {
    this.home = home;
    this.spec = spec;
  }

  /** Made anew each time it is asked for: `is` compares without. */
  get id(): string {
    return `${this.home.name}.${this.spec.name}`;
  }

  get station(): number {
    return this.home.station;
  }

  get name(): string {
    return this.spec.name;
  }

  get at(): string {
    return this.spec.at;
  }

  get type(): TagType {
    return this.spec.type;
  }

  get scale(): number {
    return this.spec.scale;
  }

  get offset(): number {
    return this.spec.offset;
  }

  get decimals(): number | null {
    return this.spec.decimals;
  }

  get signal(): readonly [number, number] | null {
    return this.spec.signal;
  }

  get wordOrder(): TagOnLink["wordOrder"] {
    return this.spec.wordOrder;
  }

  get writable(): boolean {
    return this.spec.writable;
  }

  get column(): number {
    return this.spec.column;
  }

  get eu(): string | null {
    return this.spec.eu;
  }

  is(id: string): boolean {
    const { home, spec } = this;
    return id.length === home.name.length + 1 + spec.name.length &&
      id[home.name.length] === "." && id.startsWith(home.name) && id.endsWith(spec.name);
  }

  /** The same tag, but for what `changes` says. */
  with(changes: Partial<TagSpec>): Tag {
    return new Tag(this.home, { ...this.spec, ...changes });
  }
}
