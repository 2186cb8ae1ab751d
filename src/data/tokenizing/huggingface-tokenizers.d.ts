// The part of @huggingface/tokenizers that is used here. Its own declarations import each other without file
// extensions, which Node's module resolution does not accept, so TypeScript sees them as `any`.
declare module "@huggingface/tokenizers" {
  interface BertNormalizerConfig {
    readonly clean_text?: boolean;
    readonly handle_chinese_chars?: boolean;
    readonly strip_accents?: boolean | null;
    readonly lowercase?: boolean;
  }

  abstract class Normalizer {
    constructor(config: object);
    readonly config: object;
    normalize(text: string): string;
  }
  class BertNormalizer extends Normalizer {
    constructor(config: BertNormalizerConfig);
    override readonly config: BertNormalizerConfig;
  }
  class LowercaseNormalizer extends Normalizer {}
  class SequenceNormalizer extends Normalizer {
    normalizers: (Normalizer | null)[];
  }

  abstract class PreTokenizer {
    pre_tokenize_text(text: string): string[];
  }
  class BertPreTokenizer extends PreTokenizer {}
  class WhitespacePreTokenizer extends PreTokenizer {}
  class ByteLevelPreTokenizer extends PreTokenizer {
    pattern: RegExp;
  }
  class SequencePreTokenizer extends PreTokenizer {
    tokenizers: (PreTokenizer | null)[];
  }

  interface PostProcessor {
    post_process(
      tokens: string[],
      pair: string[] | null,
      addSpecialTokens: boolean,
    ): { tokens: string[]; token_type_ids?: number[] };
  }

  class Tokenizer {
    constructor(tokenizer: object, config: object);
    normalizer: Normalizer | null;
    pre_tokenizer: PreTokenizer | null;
    readonly post_processor: PostProcessor | null;
    encode(text: string, options: { add_special_tokens: boolean }): { ids: (number | undefined)[] };
    decode(ids: number[], options: { skip_special_tokens: boolean }): string;
    token_to_id(token: string): number | undefined;
    get_vocab(withAddedTokens: boolean): Map<string, number>;
  }
}
