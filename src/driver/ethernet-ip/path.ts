/** A path as a request spells it. */
export interface SpelledPath {
  readonly base: string;
  /** The last index, if the path ends in one; −1 = it does not. */
  readonly index: number;
}

const NAME = 0x91;
const widths: Readonly<Record<number, number>> = { 0x28: 1, 0x29: 2, 0x2a: 4 };

/** Reads the symbolic path `input[at…end)`; null = it is none. */
export function readPath(input: Uint8Array, at: number, end: number): SpelledPath | null {
  const parts: string[] = [];
  let indices: number[] = [];
  const close = (): void => {
    if (indices.length > 0) parts.push(`${parts.pop() ?? ""}[${indices.join(",")}]`);
    indices = [];
  };
  while (at < end) {
    const kind = input[at]!;
    const width = widths[kind] ?? 0;
    if (kind === NAME) {
      close();
      const n = input[at + 1] ?? 0;
      if (at + 2 + n > end) return null;
      parts.push(new TextDecoder().decode(input.subarray(at + 2, at + 2 + n)).toLowerCase());
      at += 2 + n + (n & 1);
    } else if (width > 0 && parts.length > 0 && at + Math.max(2, 2 * width) <= end) {
      const from = at + (width === 1 ? 1 : 2);
      let index = 0;
      for (let i = 0; i < width; i++) index += input[from + i]! * 256 ** i;
      indices.push(index);
      at = from + width;
    } else return null;
  }
  const index = indices.length === 1 ? indices[0]! : -1;
  if (index < 0) close();
  return parts.length === 0 ? null : { base: parts.join("."), index };
}
