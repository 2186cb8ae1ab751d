/** What names may have besides those that PEFT writes, or lack; all of it says nothing about which tensor is meant. */
interface Dialect {
  /** How a repaired name differs, for messages. */
  readonly says: string;
  readonly isIn: (key: string) => boolean;
  /** The name without it. */
  readonly mend: (key: string) => string;
}

const PREFIX = "base_model.model.";

const replacing = (says: string, pattern: RegExp, by: string): Dialect => ({
  says,
  isIn: (key) => pattern.test(key),
  mend: (key) => key.replace(new RegExp(pattern, "g"), by),
});

/** The parts of adapters whose names end with their own word, behind which the adapter's name may stand. */
const parts = "lora_embedding_[AB]|lora_[ABE]|lora_magnitude_vector|ia3_l|vera_lambda_[bd]|ln_tuning_layers";

/** In this order, since some stand around others. */
const dialects: readonly Dialect[] = [
  replacing("_orig_mod., as torch.compile leaves it", /(^|(?<=\.))_orig_mod\./, ""),
  replacing("module., as DataParallel leaves it", /^module\.|(?<=^base_model\.model\.)module\./, ""),
  replacing("base_model.model. more than once", /^(base_model\.model\.){2,}/, PREFIX),
  replacing(
    "lora.down and lora.up, as diffusers has them",
    /\.(lora|lora_linear_layer)\.down\.weight$|\.lora_down\.weight$/,
    ".lora_A.weight",
  ),
  replacing(
    "lora.down and lora.up, as diffusers has them",
    /\.(lora|lora_linear_layer)\.up\.weight$|\.lora_up\.weight$/,
    ".lora_B.weight",
  ),
  replacing("modules_to_save and the adapter's name", /\.modules_to_save\.[^.]+(?=\.)/, ""),
  // "lora_B.bias" and "ln_tuning_layers.weight" hold no adapter's name.
  {
    says: "the adapter's name within them, as in a state_dict",
    isIn: (key) => new RegExp(`\\.(${parts})\\.(?!(weight|bias)$)[^.]+(?=\\.|$)`).test(key),
    mend: (key) => key.replace(new RegExp(`\\.(${parts})\\.(?!(weight|bias)$)[^.]+(?=\\.|$)`), ".$1"),
  },
];

const lacking = "base_model.model. missing";
const bare = "names of the model without its head, or with one";
const loralib = "lora_A and lora_B without .weight, as loralib has them";

/** A name without what tells dialects apart: equal for all spellings of one tensor. */
function canonical(key: string, basePrefix: string, toTree: (key: string) => string): string {
  const mended = dialects.reduce((name, { mend }) => mend(name), key);
  const tree = toTree(mended).replace(/\.(lora_[AB])\.weight$/, ".$1");
  return basePrefix !== "" && tree.startsWith(`${basePrefix}.`) ? tree.slice(basePrefix.length + 1) : tree;
}

/** How names of a file were understood that are not the adapter's own. */
export interface Repairs {
  /** Key in the file to the name in the module tree. */
  readonly names: ReadonlyMap<string, string>;
  /** What was different, with the number of names. */
  readonly said: ReadonlyMap<string, number>;
}

/**
 * Finds which of the expected tensors names of other dialects mean.
 * @param keys of the file that have no place as they are
 * @param expected names of the module tree that nothing has the place of yet
 * @param basePrefix of the model with a head ("bert"); "" where there is none
 * @param toTree a key of PEFT's as the module tree's name
 */
export function repairKeys(
  keys: Iterable<string>,
  expected: Iterable<string>,
  basePrefix: string,
  toTree: (key: string) => string,
): Repairs {
  const meant = new Map<string, string | null>();
  for (const name of expected) {
    const plain = canonical(name, basePrefix, toTree);
    meant.set(plain, meant.has(plain) ? null : name);
  }
  const names = new Map<string, string>();
  const said = new Map<string, number>();
  for (const key of keys) {
    const name = meant.get(canonical(key, basePrefix, toTree));
    if (name === undefined || name === null) continue;
    names.set(key, name);
    for (const what of differences(key, name, toTree)) said.set(what, (said.get(what) ?? 0) + 1);
  }
  return { names, said };
}

/** What of a key is not as PEFT writes it. */
function differences(key: string, name: string, toTree: (key: string) => string): Set<string> {
  const said = new Set<string>();
  let mended = key;
  for (const { says, isIn, mend } of dialects) {
    if (isIn(mended)) said.add(says);
    mended = mend(mended);
  }
  if (!mended.startsWith(PREFIX)) said.add(lacking);
  const tree = toTree(mended);
  const isLoralib = /\.lora_[AB]$/.test(tree) && /\.weight$/.test(name);
  if (isLoralib) said.add(loralib);
  if ((isLoralib ? `${tree}.weight` : tree) !== name && /\.weight$/.test(tree) === /\.weight$/.test(name))
    said.add(bare);
  return said;
}

/** The repairs, for a message. */
export function repairsText({ said }: Repairs): string {
  return [...said].map(([what, count]) => `${what} (${count})`).join("; ");
}
