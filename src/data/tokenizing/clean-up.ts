const rules: readonly (readonly [string, string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** transformers' `clean_up_tokenization`: English punctuation and short forms lose the space before them. */
export function cleanUpTokenization(text: string): string {
  return rules.reduce((out, [from, to]) => out.replaceAll(from, to), text);
}

/** The Rust library's own, for WordPiece and CTC decoders, which also shortens "do not". */
export function cleanUpTokens(text: string): string {
  return rules.reduce((out, [from, to]) => {
    const next = out.replaceAll(from, to);
    return from === " 'm" ? next.replaceAll(" do not", " don't") : next;
  }, text);
}
