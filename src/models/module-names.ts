/**
 * Module names differ between transformers 4 (which checkpoint files and most adapters use, and Graft's module trees)
 * and transformers 5 in memory (which adapters written since then use). Only ViT's encoder has two spellings.
 * Both directions work on module paths, tensor keys and adapter keys alike: what is around the renamed part stays.
 */
interface NameTable {
  /** How each version writes the path of layer N, up to N. */
  readonly layers: { readonly v4: string; readonly v5: string };
  /** Paths inside a layer, v4 to v5. No entry is the beginning of another one. */
  readonly inside: readonly (readonly [v4: string, v5: string])[];
}

/** Which version of transformers a name is spelled for. */
export type NameVersion = "v4" | "v5";

const tables: Readonly<Record<string, NameTable>> = {
  vit: {
    layers: { v4: "encoder.layer", v5: "layers" },
    inside: [
      ["attention.attention.query", "attention.q_proj"],
      ["attention.attention.key", "attention.k_proj"],
      ["attention.attention.value", "attention.v_proj"],
      ["attention.output.dense", "attention.o_proj"],
      ["intermediate.dense", "mlp.fc1"],
      ["output.dense", "mlp.fc2"],
    ],
  },
};

const escaped = (text: string): string => text.replaceAll(".", "\\.");

function translate(modelType: string, name: string, to: NameVersion): string {
  const table = tables[modelType];
  if (!table) return name;
  const from: NameVersion = to === "v5" ? "v4" : "v5";
  const layer = new RegExp(`(^|\\.)${escaped(table.layers[from])}(\\.\\d+)(?=\\.|$)`).exec(name);
  if (!layer) return name;
  const end = layer.index + layer[0].length;
  const head = `${name.slice(0, layer.index)}${layer[1]}${table.layers[to]}${layer[2]}`;
  const rest = name.slice(end);
  for (const [v4, v5] of table.inside) {
    const [old, renamed] = to === "v5" ? [v4, v5] : [v5, v4];
    if (rest === `.${old}` || rest.startsWith(`.${old}.`)) return `${head}.${renamed}${rest.slice(old.length + 1)}`;
  }
  return head + rest;
}

/** A module path or tensor key in the spelling of checkpoint files and transformers 4. Names without a v5 spelling stay. */
export function toV4Name(modelType: string, name: string): string {
  return translate(modelType, name, "v4");
}

/** A module path or tensor key in the spelling of transformers 5 in memory. */
export function toV5Name(modelType: string, name: string): string {
  return translate(modelType, name, "v5");
}

/**
 * What a module of the tree is called.
 * @returns [transformers 4's path, transformers 5's], equal where they agree; the first one alone for a container that
 *   transformers 5 does not have
 */
export function modulePaths(modelType: string, path: string): [v4: string] | [v4: string, v5: string] {
  const table = tables[modelType];
  const inside = table && new RegExp(`(?:^|\\.)${escaped(table.layers.v4)}\\.\\d+\\.(.+)$`).exec(path)?.[1];
  if (inside) {
    const isAbove = (name: string): boolean => name.startsWith(`${inside}.`);
    if (table.inside.some(([v4]) => isAbove(v4)) && !table.inside.some(([, v5]) => isAbove(v5))) return [path];
  }
  return [path, toV5Name(modelType, path)];
}
