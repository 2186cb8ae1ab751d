import { invalid, type StageConfig } from "../stages/config.js";
import { byteTokens, type Model, noUnknownToken, readScores } from "./model.js";

const CACHE = 20_000;
const LONGEST_CACHED = 256;
/** How much less than the worst piece an unknown character scores. */
const UNKNOWN_PENALTY = 10;

/** A node of the prefix tree over the vocabulary's characters. */
interface Node {
  readonly children: Map<number, Node>;
  id: number;
}

/** SentencePiece's unigram model: the pieces with the best sum of scores. */
export function unigram(config: StageConfig): Model {
  const scores = readScores(config);
  const unknown = config.optional("unk_id", "count");
  if (unknown !== undefined && unknown >= scores.length)
    throw invalid(`model Unigram: unk_id ${unknown} is beyond the vocabulary`);
  const byteFallback = config.get("byte_fallback", "boolean", false);
  const vocabulary = new Map(scores.map(([token], id) => [token, id]));
  const root: Node = { children: new Map(), id: -1 };
  let worst = Number.POSITIVE_INFINITY;
  for (const [token, score] of scores) {
    worst = Math.min(worst, score);
    let node = root;
    for (const character of token) {
      const code = character.codePointAt(0)!;
      let child = node.children.get(code);
      if (!child) {
        child = { children: new Map(), id: -1 };
        node.children.set(code, child);
      }
      node = child;
    }
    // Of equal tokens the last one counts, with its score.
    node.id = vocabulary.get(token)!;
  }
  root.id = -1;
  const known = new Map<string, readonly number[]>();

  /** Best paths to each position, from left to right; of equal scores the first found stays. */
  const bestPieces = (word: string): { start: number; end: number; id: number }[] => {
    const score = new Float64Array(word.length + 1);
    const from = new Int32Array(word.length + 1).fill(-1);
    const piece = new Int32Array(word.length + 1);
    const offer = (start: number, end: number, id: number, points: number) => {
      const total = points + score[start]!;
      if (from[end] !== -1 && total <= score[end]!) return;
      score[end] = total;
      from[end] = start;
      piece[end] = id;
    };
    for (let start = 0; start < word.length; ) {
      const first = start + (word.codePointAt(start)! > 0xffff ? 2 : 1);
      let single = false;
      let node: Node | undefined = root;
      for (let end = start; end < word.length; ) {
        const code = word.codePointAt(end)!;
        node = node.children.get(code);
        if (!node) break;
        end += code > 0xffff ? 2 : 1;
        if (node.id < 0) continue;
        offer(start, end, node.id, scores[node.id]![1]);
        if (end === first) single = true;
      }
      if (!single) {
        if (unknown === undefined) {
          if (from[first] === -1 || worst - UNKNOWN_PENALTY + score[start]! > score[first]!) throw noUnknownToken(word);
        } else {
          offer(start, first, unknown, worst - UNKNOWN_PENALTY);
        }
      }
      start = first;
    }
    const path: { start: number; end: number; id: number }[] = [];
    for (let end = word.length; end > 0; end = from[end]!) path.push({ start: from[end]!, end, id: piece[end]! });
    return path.reverse();
  };

  const tokenize = (word: string): number[] => {
    const ids: number[] = [];
    const pieces = bestPieces(word);
    for (let i = 0; i < pieces.length; i++) {
      const { start, id } = pieces[i]!;
      let { end } = pieces[i]!;
      if (id === unknown) while (pieces[i + 1]?.id === unknown) end = pieces[++i]!.end;
      // Unknown characters in a row are one piece, which may even be in the vocabulary.
      const text = word.slice(start, end);
      const found = vocabulary.get(text);
      const bytes = found === undefined && byteFallback ? byteTokens(text, vocabulary) : undefined;
      if (found !== undefined) ids.push(found);
      else if (bytes) ids.push(...bytes);
      else if (unknown === undefined) throw noUnknownToken(word);
      else ids.push(unknown);
    }
    return ids;
  };

  return {
    vocabulary,
    tokenize(word) {
      let ids = known.get(word);
      if (ids) return ids;
      ids = tokenize(word);
      if (word.length <= LONGEST_CACHED && known.size < CACHE) known.set(word, ids);
      return ids;
    },
  };
}
