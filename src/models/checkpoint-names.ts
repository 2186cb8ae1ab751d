import type { NameScheme } from "./module-names.js";

/** Which tensor of a file belongs to which parameter. */
export interface NameMatch {
  /** Parameter name to tensor name. */
  readonly found: ReadonlyMap<string, string>;
  /** Tensors that belong to no parameter, in the file's order. */
  readonly unexpected: readonly string[];
}

/**
 * Matches a file's tensors with a network's parameters: exactly, with the base prefix ("bert.") added or taken away, and
 * under the other names that the architecture knows. A tensor whose name fits exactly goes first.
 */
export function matchNames(
  tensors: Iterable<string>,
  parameters: ReadonlySet<string>,
  names: Pick<NameScheme, "fromCheckpoint">,
  basePrefix: string,
): NameMatch {
  const found = new Map<string, string>();
  const inexact: string[] = [];
  for (const tensor of tensors) {
    if (parameters.has(tensor)) found.set(tensor, tensor);
    else inexact.push(tensor);
  }
  const unexpected: string[] = [];
  for (const tensor of inexact) {
    const name = names.fromCheckpoint(tensor);
    if (name === undefined) continue;
    const stripped = name.startsWith(`${basePrefix}.`) ? name.slice(basePrefix.length + 1) : name;
    const parameter = [name, `${basePrefix}.${name}`, stripped].find(
      (candidate) => parameters.has(candidate) && !found.has(candidate),
    );
    if (parameter !== undefined) found.set(parameter, tensor);
    else unexpected.push(tensor);
  }
  return { found, unexpected };
}
