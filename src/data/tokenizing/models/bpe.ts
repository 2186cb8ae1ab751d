import { invalid, type StageConfig } from "../stages/config.js";
import { type Merge, MergeQueue } from "./merge-queue.js";
import { byteTokens, type Model, noUnknownToken, readMerges, readVocabulary } from "./model.js";

/** Words that are remembered, and the longest of them in UTF-16 units. */
const CACHE = 20_000;
const LONGEST_CACHED = 256;

/** What two neighbours become, and how early. */
interface MergeRule {
  readonly rank: number;
  readonly id: number;
}

/** Rules by first, then second id. */
type MergeRules = Map<number, Map<number, MergeRule>>;

function readRules(config: StageConfig, vocabulary: ReadonlyMap<string, number>, prefix: string): MergeRules {
  const rules: MergeRules = new Map();
  readMerges(config).forEach(([a, b], rank) => {
    const merged = a + b.slice(prefix.length);
    const [first, second, id] = [vocabulary.get(a), vocabulary.get(b), vocabulary.get(merged)];
    if (first === undefined || second === undefined || id === undefined) {
      const missing = first === undefined ? a : second === undefined ? b : merged;
      throw invalid(`model BPE: the vocabulary lacks ${JSON.stringify(missing)}, which a merge names`);
    }
    let seconds = rules.get(first);
    if (!seconds) {
      seconds = new Map();
      rules.set(first, seconds);
    }
    seconds.set(second, { rank, id });
  });
  return rules;
}

/** Merges neighbours by rank until no rule applies. */
function mergeAll(symbols: number[], rules: MergeRules): number[] {
  if (symbols.length < 2) return symbols;
  const next = Int32Array.from(symbols, (_, i) => (i + 1 < symbols.length ? i + 1 : -1));
  const previous = Int32Array.from(symbols, (_, i) => i - 1);
  const gone = new Uint8Array(symbols.length);
  const queue = new MergeQueue();
  const rule = (left: number, right: number) => rules.get(symbols[left]!)?.get(symbols[right]!);
  const consider = (left: number, right: number) => {
    const found = rule(left, right);
    if (found) queue.push({ rank: found.rank, id: found.id, position: left });
  };
  for (let i = 0; i + 1 < symbols.length; i++) consider(i, i + 1);
  for (let top: Merge | undefined = queue.pop(); top; top = queue.pop()) {
    const left = top.position;
    const right = next[left]!;
    if (gone[left] || right === -1 || rule(left, right)?.id !== top.id) continue;
    symbols[left] = top.id;
    gone[right] = 1;
    next[left] = next[right]!;
    if (next[left] !== -1) previous[next[left]!] = left;
    if (previous[left] !== -1) consider(previous[left]!, left);
    if (next[left] !== -1) consider(left, next[left]!);
  }
  return symbols.filter((_, i) => !gone[i]);
}

/** Byte-pair encoding. */
export function bpe(config: StageConfig): Model {
  if (config.has("dropout") && Number(config.get("dropout", "count")) !== 0) throw config.unsupported("dropout");
  const vocabulary = readVocabulary(config);
  const prefix = config.optional("continuing_subword_prefix", "string") ?? "";
  const suffix = config.optional("end_of_word_suffix", "string") ?? "";
  const unknownToken = config.optional("unk_token", "string");
  const unknown = unknownToken === undefined ? undefined : vocabulary.get(unknownToken);
  const fuseUnknown = config.get("fuse_unk", "boolean", false);
  const byteFallback = config.get("byte_fallback", "boolean", false);
  const ignoreMerges = config.get("ignore_merges", "boolean", false);
  const rules = readRules(config, vocabulary, prefix);
  const known = new Map<string, readonly number[]>();

  /** Ids of a word's characters. Without an unknown token a character that is not known vanishes, as in Rust. */
  const characters = (word: string): number[] => {
    const ids: number[] = [];
    let pending = false;
    for (let i = 0; i < word.length; ) {
      const end = i + ((word.codePointAt(i) ?? 0) > 0xffff ? 2 : 1);
      const piece = (i === 0 ? "" : prefix) + word.slice(i, end) + (end === word.length ? suffix : "");
      i = end;
      const id = vocabulary.get(piece);
      if (id !== undefined) {
        if (pending) ids.push(unknown!);
        pending = false;
        ids.push(id);
        continue;
      }
      const bytes = byteFallback ? byteTokens(piece, vocabulary) : undefined;
      if (bytes) {
        // Rust leaves an unknown token that waits to be joined where it is: it comes behind the bytes.
        ids.push(...bytes);
        continue;
      }
      if (unknownToken === undefined) continue;
      if (unknown === undefined) throw noUnknownToken(word);
      if (pending && !fuseUnknown) ids.push(unknown);
      pending = true;
    }
    if (pending) ids.push(unknown!);
    return ids;
  };

  return {
    vocabulary,
    tokenize(word) {
      const cached = known.get(word);
      if (cached) return cached;
      const whole = ignoreMerges ? vocabulary.get(word) : undefined;
      const ids = whole === undefined ? mergeAll(characters(word), rules) : [whole];
      if (word.length <= LONGEST_CACHED && known.size < CACHE) known.set(word, ids);
      return ids;
    },
  };
}
