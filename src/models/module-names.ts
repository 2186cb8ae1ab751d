/** Which version of transformers a name is spelled for. */
export type NameVersion = "v4" | "v5";

/** What a module of the tree is called: once where both versions agree, and for a container that transformers 5 lacks. */
export type ModulePaths = readonly [v4: string] | readonly [v4: string, v5: string];

/**
 * How an architecture's parts are named. Names differ between transformers 4 (which checkpoint files and most adapters
 * use, and Graft's module trees) and transformers 5 in memory (which adapters written since then use), and old files have
 * names of their own. All work on module paths, tensor keys and adapter keys alike: what is around the renamed part stays.
 */
export interface NameScheme {
  /** A module path or tensor key in the spelling of transformers 5 in memory. */
  readonly toV5: (name: string) => string;
  /** The same in the spelling of checkpoint files and transformers 4. */
  readonly toV4: (name: string) => string;
  /** [transformers 4's path, transformers 5's] of a module of the tree; the first alone for a container that 5 lacks. */
  readonly paths: (path: string) => ModulePaths;
  /** A tensor of a checkpoint file as the tree names it; undefined for one that is never read (a buffer of old files). */
  readonly fromCheckpoint: (name: string) => string | undefined;
}

/** Where an architecture has two spellings. */
export interface LayerNames {
  /** How each version writes the path of layer N, up to N. */
  readonly layers: { readonly v4: string; readonly v5: string };
  /** Paths inside a layer, v4 to v5. No entry is the beginning of another one. */
  readonly inside: readonly (readonly [v4: string, v5: string])[];
}

const same = (name: string): string => name;

/** A scheme with one spelling. @param fromCheckpoint repairs the names of old files; by default there are none */
export function oneSpelling(fromCheckpoint: NameScheme["fromCheckpoint"] = same): NameScheme {
  return { toV5: same, toV4: same, paths: (path) => [path, path], fromCheckpoint };
}

const escaped = (text: string): string => text.replaceAll(".", "\\.");

const layerPattern = (layers: string): RegExp => new RegExp(`(^|\\.)${escaped(layers)}(\\.\\d+)(?=\\.|$)`);

/** A scheme whose layers have two spellings. */
export function twoSpellings({ layers, inside }: LayerNames): NameScheme {
  const patterns: { readonly [V in NameVersion]: RegExp } = {
    v4: layerPattern(layers.v4),
    v5: layerPattern(layers.v5),
  };
  const renames: { readonly [V in NameVersion]: readonly (readonly [from: string, to: string])[] } = {
    v5: inside,
    v4: inside.map(([v4, v5]) => [v5, v4] as const),
  };
  const translate = (name: string, to: NameVersion): string => {
    const layer = patterns[to === "v5" ? "v4" : "v5"].exec(name);
    if (!layer) return name;
    const head = `${name.slice(0, layer.index)}${layer[1]}${layers[to]}${layer[2]}`;
    const rest = name.slice(layer.index + layer[0].length);
    for (const [old, renamed] of renames[to]) {
      if (rest === `.${old}` || rest.startsWith(`.${old}.`)) return `${head}.${renamed}${rest.slice(old.length + 1)}`;
    }
    return head + rest;
  };
  const toV4 = (name: string): string => translate(name, "v4");
  const toV5 = (name: string): string => translate(name, "v5");
  return {
    toV4,
    toV5,
    fromCheckpoint: toV4,
    paths: (path) => {
      const layer = patterns.v4.exec(path);
      const within = layer && path.slice(layer.index + layer[0].length + 1);
      if (within) {
        const isAbove = (name: string): boolean => name.startsWith(`${within}.`);
        if (inside.some(([v4]) => isAbove(v4)) && !inside.some(([, v5]) => isAbove(v5))) return [path];
      }
      return [path, toV5(path)];
    },
  };
}
