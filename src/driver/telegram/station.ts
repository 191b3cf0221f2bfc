/**
 * Machines that share a line have an address each, the `station` of their device. In a telegram it
 * stands as `{station}`, as `{station:3}` with so many digits, or as `{station:hex}`, two
 * hexadecimal digits, which in `<…>` are one byte.
 */
const place = /\{station(?::(\d|hex))?\}/g;

export const namesStation = (text: string | undefined): boolean =>
  text !== undefined && text.search(place) >= 0;

/** The text as it is for one of them. */
export function withStation(text: string, station: number): string {
  return text.replace(place, (_, form: string | undefined) => (form === "hex"
    ? station.toString(16).padStart(2, "0")
    : String(station).padStart(Number(form ?? 1), "0")));
}
