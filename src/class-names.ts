/**
 * The names of classes by id, from a map of their ids; or what is wrong with it, in words: ids must be 0, 1, 2, ... each
 * once. For a file's or a caller's label2id.
 */
export function classNames(label2id: Readonly<Record<string, number>>): { names: string[] } | { fault: string } {
  const byId = new Map<number, string>();
  for (const [name, id] of Object.entries(label2id)) {
    const told = `label2id gives ${JSON.stringify(name)} the id ${id}, which is`;
    if (!Number.isInteger(id) || id < 0) return { fault: `${told} not a class number` };
    const other = byId.get(id);
    if (other !== undefined) return { fault: `${told} also ${JSON.stringify(other)}'s` };
    byId.set(id, name);
  }
  const names: string[] = [];
  for (let id = 0; id < byId.size; id++) {
    const name = byId.get(id);
    if (name === undefined) return { fault: `label2id has no class with id ${id}` };
    names.push(name);
  }
  return { names };
}
