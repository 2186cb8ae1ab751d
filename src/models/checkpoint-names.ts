import { toV4Name } from "./module-names.js";

/** Which tensor of a file belongs to which parameter. */
export interface NameMatch {
  /** Parameter name to tensor name. */
  readonly found: ReadonlyMap<string, string>;
  /** Tensors that belong to no parameter, in the file's order. */
  readonly unexpected: readonly string[];
}

/** The oldest BERT files call LayerNorm's weight gamma and its bias beta. */
function modernName(name: string): string {
  return name
    .replace(/(LayerNorm|layer_norm|layernorm)\.gamma$/, "$1.weight")
    .replace(/(LayerNorm|layer_norm|layernorm)\.beta$/, "$1.bias");
}

/** Buffers that files before transformers 4.31 hold: counting from 0, never read. */
const isIgnored = (name: string): boolean => name.endsWith("embeddings.position_ids");

/**
 * Matches a file's tensors with a network's parameters: exactly, with the base prefix ("bert.") added or taken away,
 * under the names of transformers 5, and under BERT's oldest names. A tensor whose name fits exactly goes first.
 */
export function matchNames(
  tensors: Iterable<string>,
  parameters: ReadonlySet<string>,
  modelType: string,
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
    const name = toV4Name(modelType, modernName(tensor));
    const stripped = name.startsWith(`${basePrefix}.`) ? name.slice(basePrefix.length + 1) : name;
    const parameter = [name, `${basePrefix}.${name}`, stripped].find(
      (candidate) => parameters.has(candidate) && !found.has(candidate),
    );
    if (parameter !== undefined) found.set(parameter, tensor);
    else if (!isIgnored(tensor)) unexpected.push(tensor);
  }
  return { found, unexpected };
}
