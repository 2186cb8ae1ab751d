import { GraftError } from "../../errors.js";
import { isJsonObject, type JsonObject } from "../../json.js";
import { ClassArguments } from "./classes/class-arguments.js";
import { classTable } from "./classes/class-table.js";
import {
  base64,
  namedPieces,
  type PieceVocabulary,
  pieceVocabulary,
  plainTokenizer,
} from "./classes/piece-vocabulary.js";
import { bosEosTemplate, extraTokens, type Recipe, recipes } from "./classes/recipes.js";
import { type ClassName, resolveClass } from "./classes/resolve-class.js";
import {
  planTokens,
  type SpecialTokenName,
  specialTokenNames,
  type TokenPlan,
  tokensToAdd,
} from "./classes/special-tokens.js";
import { Pipeline } from "./pipeline.js";
import { readSentencePiece, type SentencePieceModel } from "./sentence-piece.js";
import { invalid } from "./stages/config.js";
import { type TokenizerFiles, textField } from "./tokenizer-files.js";
import { bpeFiles, vocabularyOfLines } from "./vocabulary-files.js";

/** A tokenizer as transformers makes it of its files. */
export interface BuiltTokenizer {
  readonly className: ClassName | undefined;
  readonly pipeline: Pipeline;
  /** Texts of the special tokens. */
  readonly specialTokens: { readonly [N in SpecialTokenName]?: string };
}

/** The files, and what a SentencePiece model among them gives. */
interface Sources extends TokenizerFiles {
  readonly pieces?: SentencePieceModel | undefined;
  readonly pieceVocabulary?: PieceVocabulary | undefined;
}

/** The model stage, from tokenizer.json or from the vocabulary's own files. */
function modelOf({ tokenizer, texts, pieceVocabulary }: Sources): JsonObject {
  if (isJsonObject(tokenizer.model)) return tokenizer.model;
  if (pieceVocabulary) return { ...pieceVocabulary };
  if (texts?.["vocab.json"] !== undefined) return bpeFiles(texts["vocab.json"], texts["merges.txt"]);
  if (texts?.["vocab.txt"] !== undefined) return { vocab: vocabularyOfLines(texts["vocab.txt"]) };
  throw invalid('there is no "model"');
}

/** The rules of the first Precompiled normaliser, in base64. */
function charsMapOf({ tokenizer: { normalizer }, pieces }: Sources): string | undefined {
  if (pieces) return pieces.charsMap && base64(pieces.charsMap);
  const list =
    isJsonObject(normalizer) && Array.isArray(normalizer.normalizers) ? normalizer.normalizers : [normalizer];
  const found = list.find((stage) => isJsonObject(stage) && stage.type === "Precompiled");
  return textField(isJsonObject(found) ? found : undefined, "precompiled_charsmap");
}

function recipeOf(files: Sources, className: ClassName, plan: TokenPlan): Recipe | undefined {
  const { maker } = classTable[className];
  if (maker === "TokenizersBackend") return undefined;
  const model = modelOf(files);
  const vocabulary = Array.isArray(model.vocab) || isJsonObject(model.vocab) ? model.vocab : {};
  const merges = Array.isArray(model.merges) ? model.merges : [];
  const config = files.pieces ? { ...files.config, unk_id: files.pieces.unknown.id } : files.config;
  return recipes[maker](new ClassArguments(vocabulary, merges, charsMapOf(files), config, plan.special));
}

/** tokenizer.json's stages, or those that the class makes in their place. */
function stagesOf(files: Sources, className: ClassName | undefined, recipe: Recipe | undefined): JsonObject {
  const rebuilds = className !== undefined && (classTable[className].rebuilds || !isJsonObject(files.tokenizer.model));
  if (!recipe || !rebuilds) return { ...files.tokenizer, model: modelOf(files) };
  return {
    model: recipe.model,
    normalizer: recipe.normalizer ?? null,
    pre_tokenizer: recipe.preTokenizer,
    decoder: recipe.decoder,
    added_tokens: [],
    post_processor: files.tokenizer.post_processor ?? null,
  };
}

/** Without tokenizer.json, whose post-processor would count, flags say which tokens stand around texts. */
function flaggedTemplate({ config, tokenizer }: TokenizerFiles, special: TokenPlan["special"]) {
  if (isJsonObject(tokenizer.model)) return undefined;
  if (config.add_bos_token === undefined && config.add_eos_token === undefined) return undefined;
  const bos = config.add_bos_token === true ? special.bos_token?.content : undefined;
  return bosEosTemplate(bos, config.add_eos_token === true ? special.eos_token?.content : undefined);
}

function requireKnown(files: TokenizerFiles, className: ClassName | undefined): void {
  if (isJsonObject(files.tokenizer.model) || files.sentencePiece) return;
  if (className === undefined && Object.keys(files.tokenizer).length === 0) {
    throw new GraftError(
      "file-not-found",
      "there is no tokenizer.json, and neither tokenizer_config.json nor config.json names the tokenizer's class",
      'Copy tokenizer.json from the model\'s repository, or name the class in tokenizer_config.json ("BertTokenizer").',
    );
  }
  if (Object.keys(files.tokenizer).length > 0) throw invalid('there is no "model"');
}

/**
 * Puts together what transformers' AutoTokenizer makes of the files: the class, its stages and its special tokens.
 * @throws GraftError `unsupported`, `invalid-tokenizer`, `file-not-found`
 */
export function buildPipeline(given: TokenizerFiles, padToken: string | undefined): BuiltTokenizer {
  const named = textField(given.config, "tokenizer_class") ?? textField(given.modelConfig, "tokenizer_class");
  const className = resolveClass(named, textField(given.modelConfig, "model_type"));
  requireKnown(given, className);
  const maker = className && classTable[className].maker;
  const extras = (maker && maker !== "TokenizersBackend" && extraTokens[maker]) || [];
  const pieces = given.sentencePiece && readSentencePiece(given.sentencePiece.bytes, given.sentencePiece.name);
  const known = pieces && !className ? withPlainTokenizer(given, pieces) : given;
  const plan = planTokens(known, className, padToken, [...(pieces ? addedPieces(pieces) : []), ...extras]);
  const files: Sources =
    pieces && className ? { ...known, pieces, pieceVocabulary: numbered(pieces, given, className, plan) } : known;
  if (padToken !== undefined) requireToken(padToken, modelOf(files), plan);
  const recipe = className && recipeOf(files, className, plan);
  const stages = stagesOf(files, className, recipe);
  const hasOwnPost = isJsonObject(files.tokenizer.post_processor);
  const post =
    recipe?.yields && hasOwnPost ? undefined : (recipe?.postProcessor ?? flaggedTemplate(files, plan.special));
  const pipeline = new Pipeline(stages, {
    addMore: (added) => {
      added.add(tokensToAdd(plan, added.all()));
      if (maker === "Qwen2Tokenizer") added.addSpecial(contentsOf(plan));
    },
    postProcessor: post,
    splitSpecialTokens: files.config.split_special_tokens === true,
  });
  const specialTokens = Object.fromEntries(
    specialTokenNames.flatMap((name) => (plan.special[name] ? [[name, plan.special[name].content]] : [])),
  );
  return { className, pipeline, specialTokens };
}

/** Control pieces are special tokens; they and those of the user's are found before texts are cut. */
function addedPieces({ pieces }: SentencePieceModel): JsonObject[] {
  return pieces
    .filter(({ kind }) => kind !== "other")
    .map(({ text, kind }) => ({ content: text, normalized: false, special: kind === "control" }));
}

function withPlainTokenizer(files: TokenizerFiles, pieces: SentencePieceModel): TokenizerFiles {
  const { config } = files;
  return { ...files, tokenizer: plainTokenizer(pieces, config), config: { ...namedPieces(pieces), ...config } };
}

function numbered(
  pieces: SentencePieceModel,
  { config }: TokenizerFiles,
  className: ClassName,
  { special }: TokenPlan,
): PieceVocabulary {
  const token = (name: SpecialTokenName): string => {
    const content = special[name]?.content;
    if (content !== undefined) return content;
    throw invalid(`the tokenizer class needs "${name}", which tokenizer_config.json sets to null`);
  };
  return pieceVocabulary(pieces, className, token, config);
}

/** A pad token that nothing else names must not grow the vocabulary beyond the model's. */
function requireToken(token: string, { vocab }: JsonObject, { byId }: TokenPlan): void {
  const inVocabulary = Array.isArray(vocab)
    ? vocab.some((entry) => Array.isArray(entry) && entry[0] === token)
    : isJsonObject(vocab) && Object.hasOwn(vocab, token);
  if (inVocabulary || [...byId.values()].some(({ content }) => content === token)) return;
  throw new GraftError(
    "invalid-token",
    `the tokenizer's vocabulary has no token "${token}"`,
    "padToken takes a token that tokenizer.json lists.",
    { option: "padToken" },
  );
}

function contentsOf({ special, extra }: TokenPlan): string[] {
  return [...specialTokenNames.flatMap((name) => special[name] ?? []), ...extra].map(({ content }) => content);
}
