/** What wrappers put before names, with what made it. */
const wrappers: readonly (readonly [prefix: RegExp, by: string])[] = [
  [/_orig_mod\./, "torch.compile"],
  [/(^|\.)module\./, "DataParallel or DistributedDataParallel"],
  [/base_model\.model\.base_model\.model\./, "a PeftModel inside of another"],
];

/**
 * Why names of a file find no place though they are those of the adapter: all have one prefix more, or the adapter's name
 * within them. undefined where that is not so.
 * @param names as they are in the file
 * @param expected of the module tree, without PEFT's prefix
 */
export function keyDialect(names: readonly string[], expected: ReadonlySet<string>): string | undefined {
  const [first] = names;
  if (first === undefined) return undefined;
  const key = [...expected].find((one) => first.endsWith(`.${one}`));
  const prefix = key === undefined ? undefined : first.slice(0, -key.length);
  if (prefix !== undefined && names.every((name) => name.startsWith(prefix))) {
    const by = wrappers.find(([pattern]) => pattern.test(prefix))?.[1];
    return (
      `The adapter fits but for the prefix "${prefix}" of its names${by === undefined ? "" : `, as ${by} leaves it`}, ` +
      'where PEFT writes "base_model.model.": save it again with save_pretrained of the unwrapped PeftModel.'
    );
  }
  const inserted = /\.(lora_[AB]|lora_embedding_[AB]|lora_magnitude_vector|ia3_l|adapter_[a-z]+)\.([^.]+)(?=\.|$)/;
  const name = first.match(inserted)?.[2];
  if (name === undefined) return undefined;
  const isNamed = names.every((one) => {
    const plain = one.replace(inserted, ".$1");
    return plain !== one && [...expected].some((key) => plain.endsWith(key) || plain === key);
  });
  return isNamed
    ? `The adapter fits but for its own name, ".${name}", within the names, as in a state_dict: save it again with save_pretrained of the PeftModel.`
    : undefined;
}
