/**
 * The names of classes by id, from a map of their ids; or what is wrong with it, in words: ids must be 0, 1, 2, ... each
 * once. For a file's or a caller's label2id.
 */
export function classNames(label2id: Readonly<Record<string, number>>): { names: string[] } | { fault: string } {
  const classes = Object.entries(label2id);
  const names = new Array<string>(classes.length);
  for (const [name, id] of classes) {
    const told = `label2id gives ${JSON.stringify(name)} the id ${id}`;
    if (!Number.isInteger(id) || id < 0) return { fault: `${told}, which is not a class number` };
    if (id >= classes.length) return { fault: `${told}, but has ${classes.length} classes only` };
    const other = names[id];
    if (other !== undefined) return { fault: `${told}, which is also ${JSON.stringify(other)}'s` };
    names[id] = name;
  }
  return { names };
}
