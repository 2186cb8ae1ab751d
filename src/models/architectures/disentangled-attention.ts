import { add, type Dim, less, pad, type Tensor, transpose, where } from "../../graph/index.js";
import {
  byToken,
  joinHeads,
  type LinearLike,
  Module,
  type RelativePositions,
  type Stream,
  scores,
  splitHeads,
  type Trace,
  type TransformerLayer,
  weigh,
} from "../../nn/index.js";
import type { DebertaConfig } from "./deberta-config.js";
import { bertLinear } from "./encoder.js";

/**
 * Attention whose scores are those of contents, of content to position and of position to content (He et al. 2021,
 * DeBERTa, section 3): the latter two with vectors of the distances between tokens.
 */
export class DisentangledSelfAttention extends Module {
  readonly queryProj: LinearLike;
  readonly keyProj: LinearLike;
  readonly valueProj: LinearLike;
  /** What makes keys of distances: a layer of its own, or the one of contents; null where there is no content to position. */
  readonly posKeyProj: LinearLike | null;
  /** What makes queries of distances; null where there is no position to content. */
  readonly posQueryProj: LinearLike | null;
  /** Of each of the up to three scores. */
  private readonly scale: number;

  constructor(readonly config: DebertaConfig) {
    super();
    const { hiddenSize, numAttentionHeads, contentToPosition, positionToContent } = config;
    const projection = (name: string) => this.child(name, bertLinear(config, hiddenSize, hiddenSize));
    this.queryProj = projection("query_proj");
    this.keyProj = projection("key_proj");
    this.valueProj = projection("value_proj");
    const hasOwn = config.distances !== null && !config.shareAttKey;
    this.posKeyProj = hasOwn && contentToPosition ? projection("pos_key_proj") : null;
    this.posQueryProj = hasOwn && positionToContent ? projection("pos_query_proj") : null;
    const terms = 1 + Number(contentToPosition) + Number(positionToContent);
    this.scale = 1 / Math.sqrt((hiddenSize / numAttentionHeads) * terms);
  }

  forward(trace: Trace, stream: Stream, { index, sites }: TransformerLayer): Tensor {
    return this.scoped(() => {
      const query = this.heads(trace, this.queryProj, stream.hidden);
      const own = {
        keys: this.heads(trace, this.keyProj, stream.hidden),
        values: this.heads(trace, this.valueProj, stream.hidden),
      };
      const { keys, values, mask } = sites.apply("keysValues", trace, { ...own, mask: stream.mask, layer: index });
      const contents = scores(query, keys, this.scale);
      const distances = stream.relative && this.distanceScores(trace, query, own.keys, stream.relative);
      // Keys that a tuning method puts before the tokens are at no distance from them.
      const before = mask.prefix - stream.mask.prefix;
      const scored = distances ? add(contents, before > 0 ? pad(distances, -1, before, 0) : distances) : contents;
      const bias = mask.bias(query.shape[2] as Dim, keys.shape[2] as Dim);
      // In place of scores, not added to them: a padded query, which sees nothing, learns nothing from what it would have seen.
      const seen = bias ? where(less(bias, 0), bias, scored) : scored;
      return joinHeads(weigh(trace, seen, values, this.config.attentionProbsDropoutProb));
    });
  }

  /** float32 [batch, heads, sequence, sequence] of the layer's own tokens; null where distances do not count. */
  private distanceScores(trace: Trace, query: Tensor, keys: Tensor, relative: RelativePositions): Tensor | null {
    const { contentToPosition, positionToContent } = this.config;
    if (!contentToPosition && !positionToContent) return null;
    const { toKeys, toQueries } = relative.vectors(trace);
    const terms: Tensor[] = [];
    if (contentToPosition) {
      const positions = this.heads(trace, this.posKeyProj ?? this.keyProj, toKeys);
      terms.push(byToken(scores(query, positions, this.scale)));
    }
    if (positionToContent) {
      const positions = this.heads(trace, this.posQueryProj ?? this.queryProj, toQueries);
      terms.push(transpose(byToken(scores(keys, positions, this.scale)), [0, 1, 3, 2]));
    }
    return terms.reduce((sum, term) => add(sum, term));
  }

  private heads(trace: Trace, projection: LinearLike, x: Tensor): Tensor {
    return splitHeads(projection.forward(trace, x), this.config.numAttentionHeads);
  }
}
