/**
 * What `make` gives for a text, made once: a constant is compiled on the first row. Texts that
 * change from row to row fill the table of `most`, which is then begun anew. Of a `subject` the
 * text must say all that `make` makes of it.
 */
export function remember<T, Subject = void>(
  make: (text: string, subject: Subject) => T, most = remembered_max,
): (text: string, subject: Subject) => T {
  const known = new Map<string, T>();
  return (text, subject) => {
    let value = known.get(text);
    if (value === undefined) {
      if (known.size === most) known.clear();
      known.set(text, (value = make(text, subject)));
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
