/**
 * Plain data that was seen before is given back as it was then, part by part: a thousand plans of
 * one shape hold one copy of what they have in common. Only for what nobody changes afterwards.
 */
export class Alike {
  readonly #known = new Map<string, unknown>();
  /** Numbers of the texts and objects that were given back. */
  readonly #numbers = new Map<unknown, number>();

  of<T>(value: T): T {
    if (typeof value === "string") return this.#once(`'${value}`, value);
    if (typeof value !== "object" || value === null || this.#numbers.has(value)) return value;
    if (Array.isArray(value)) {
      const items = value.map((item) => this.of(item));
      return this.#once(`[${items.map((item) => this.#name(item)).join()}`, items as T);
    }
    const entries = Object.entries(value).map(([name, part]) =>
      [this.of(name), this.of(part)] as const);
    const key = entries.map(([name, part]) => `${this.#name(name)}:${this.#name(part)}`).join();
    // A Set shows no parts. What is left of an object of a class are its open parts.
    return value instanceof Set ? value : this.#once(`{${key}`, Object.fromEntries(entries) as T);
  }

  #once<T>(key: string, value: T): T {
    const known = this.#known.get(key);
    if (known !== undefined) return known as T;
    this.#known.set(key, value);
    this.#numbers.set(value, this.#numbers.size);
    return value;
  }

  #name(part: unknown): string {
    const number = this.#numbers.get(part);
    return number !== undefined ? `#${number}` : Object.is(part, -0) ? "-0" : String(part);
  }
}
