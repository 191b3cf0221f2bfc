/**
 * What `make` gives for a text, made once: a constant is compiled on the first row. Texts that
 * change from row to row fill the table, which is then begun anew.
 */
export function remember<T>(make: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    let value = known.get(text);
    if (value === undefined) {
      if (known.size === remembered_max) known.clear();
      known.set(text, (value = make(text)));
    }
    return value;
  };
}

/**
 * More than the different constants of a large configuration, which else would be compiled again
 * and again; a compiled regular expression is some 40 KB, so that texts from rows cost 20 MB at
 * most.
 */
const remembered_max = 512;
