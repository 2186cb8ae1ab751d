import { isJsonObject, type JsonObject } from "../../json.js";
import { AddedVocabulary, readAddedToken, settled } from "./added-vocabulary.js";
import { makeModel, modelType } from "./models/index.js";
import type { Model } from "./models/model.js";
import { invalid, StageConfig } from "./stages/config.js";
import { type Decoder, makeDecoder } from "./stages/decoders.js";
import { makeNormalizer, type Normalizer } from "./stages/normalizers.js";
import { type Piece, slicePiece } from "./stages/pieces.js";
import { makeTemplate } from "./stages/post-processors.js";
import { makePreTokenizer, type PreTokenizer } from "./stages/pre-tokenizers.js";
import { bareTemplate, type Template } from "./template.js";

/** What a tokenizer class adds to the stages of its file. */
export interface PipelineExtras {
  /** Adds tokens beside those of the file. */
  readonly addMore?: (added: AddedVocabulary) => void;
  /** Takes the place of the file's post-processor. */
  readonly postProcessor?: ((idOf: (token: string) => number) => JsonObject) | undefined;
  /** Special tokens in texts are texts like any other. */
  readonly splitSpecialTokens?: boolean;
}

/** The stages of a tokenizer.json, which give the ids of Hugging Face's Rust tokenizers. */
export class Pipeline {
  readonly added: AddedVocabulary;
  readonly template: Template;
  readonly modelType: string;
  private readonly model: Model;
  private readonly normalizer: Normalizer | undefined;
  private readonly preTokenizer: PreTokenizer | undefined;
  private readonly decoder: Decoder | undefined;
  /** Whether a stage asks where in the text it is. */
  private readonly needsOrigin: boolean;
  /** Whether tokens are written in GPT-2's characters for bytes. */
  readonly isByteLevel: boolean;
  private readonly texts = new Map<number, string>();

  /** @throws GraftError `unsupported` for a stage that is not read, `invalid-tokenizer` */
  constructor(json: JsonObject, extras: PipelineExtras = {}) {
    if (!isJsonObject(json.model)) throw invalid('there is no "model"');
    this.model = makeModel(json.model);
    this.modelType = modelType(json.model);
    const stage = <T>(name: string, place: string, make: (config: StageConfig) => T): T | undefined => {
      const config = StageConfig.read(json[name], place);
      return config && make(config);
    };
    this.normalizer = stage("normalizer", "normalizer", makeNormalizer);
    this.preTokenizer = stage("pre_tokenizer", "pre-tokenizer", makePreTokenizer);
    this.decoder = stage("decoder", "decoder", makeDecoder);
    this.needsOrigin = JSON.stringify(json.pre_tokenizer ?? null).includes('"prepend_scheme":"first"');
    this.isByteLevel = JSON.stringify([json.decoder ?? null, json.pre_tokenizer ?? null]).includes('"ByteLevel"');
    this.added = new AddedVocabulary(this.model.vocabulary, this.normalizer, extras.splitSpecialTokens);
    const tokens = Array.isArray(json.added_tokens) ? json.added_tokens : [];
    this.added.add(tokens.map((token) => settled(readAddedToken(token))));
    extras.addMore?.(this.added);
    this.added.prepare();
    const post = extras.postProcessor?.((token) => this.requireId(token)) ?? json.post_processor;
    const config = StageConfig.read(post, "post-processor");
    this.template = config ? makeTemplate(config) : bareTemplate;
    for (const [token, id] of this.model.vocabulary) this.texts.set(id, token);
  }

  /** Ids of a text without special tokens. @throws GraftError `invalid-token` where the vocabulary lacks a piece */
  ids(text: string): number[] {
    const ids: number[] = [];
    if (text === "") return ids;
    for (const { start, end, id } of this.added.split(text, "raw")) {
      if (id !== undefined) ids.push(id);
      else if (end > start) this.idsOfPart(this.pieceOf(text, start, end), ids);
    }
    return ids;
  }

  /** What becomes of ids in a text. */
  decode(ids: readonly number[], skipSpecialTokens: boolean): string {
    const tokens: string[] = [];
    for (const id of ids) {
      const text = this.added.textOf(id) ?? this.texts.get(id);
      if (text !== undefined && !(skipSpecialTokens && this.added.isSpecial(text))) tokens.push(text);
    }
    if (!this.decoder) return tokens.join(" ");
    return tokens.length === 0 ? "" : this.decoder(tokens).join("");
  }

  private requireId(token: string): number {
    const id = this.added.idOf(token);
    if (id === undefined) throw invalid(`the vocabulary lacks the special token ${JSON.stringify(token)}`);
    return id;
  }

  /** The text of a token by its id. */
  tokenOf(id: number): string | undefined {
    return this.added.textOf(id) ?? this.texts.get(id);
  }

  /** Ids are below this number. */
  get idLimit(): number {
    let limit = 0;
    for (const id of this.model.vocabulary.values()) limit = Math.max(limit, id + 1);
    for (const id of this.added.tokenIds()) limit = Math.max(limit, id + 1);
    return limit;
  }

  private pieceOf(text: string, start: number, end: number): Piece {
    const first = start === 0 ? (text.codePointAt(0)! > 0xffff ? 2 : 1) : 0;
    return { text: start === 0 && end === text.length ? text : text.slice(start, end), origin: first };
  }

  private idsOfPart(piece: Piece, ids: number[]): void {
    const normalized = this.normalized(piece);
    if (normalized.text === "") return;
    for (const { start, end, id } of this.added.split(normalized.text, "normalized")) {
      if (id !== undefined) ids.push(id);
      else if (end > start) {
        const part = slicePiece(normalized, start, end);
        for (const { text } of this.preTokenizer ? this.preTokenizer(part) : [part]) {
          for (const token of this.model.tokenize(text)) ids.push(token);
        }
      }
    }
  }

  private normalized(piece: Piece): Piece {
    if (!this.normalizer) return piece;
    const origin = this.needsOrigin && piece.origin > 0 ? this.normalizer.origin(piece.text, piece.origin) : 0;
    return { text: this.normalizer.apply(piece.text), origin };
  }
}
