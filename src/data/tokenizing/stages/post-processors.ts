import { isJsonObject } from "../../../json.js";
import { bareTemplate, type Template, type TemplatePart } from "../template.js";
import { invalid, type StageConfig } from "./config.js";

const own = (source: "first" | "second", tokenType: number): TemplatePart => ({ source, tokenType });
const special = (id: number, tokenType: number): TemplatePart => ({ source: id, tokenType });

/** [token, id] as BertProcessing and RobertaProcessing name their tokens. */
function tokenId(config: StageConfig, name: string): number {
  const [token, id] = config.get(name, "array");
  if (typeof token === "string" && Number.isSafeInteger(id)) return Number(id);
  throw invalid(`post-processor ${config.type}: "${name}" is no [token, id]`);
}

function bert(config: StageConfig): Template {
  const [cls, sep] = [tokenId(config, "cls"), tokenId(config, "sep")];
  const single = [special(cls, 0), own("first", 0), special(sep, 0)];
  return { single, pair: [...single, own("second", 1), special(sep, 1)] };
}

function roberta(config: StageConfig): Template {
  const [cls, sep] = [tokenId(config, "cls"), tokenId(config, "sep")];
  const single = [special(cls, 0), own("first", 0), special(sep, 0)];
  return { single, pair: [...single, special(sep, 0), own("second", 0), special(sep, 0)] };
}

function template(config: StageConfig): Template {
  const tokens = config.get("special_tokens", "object");
  const parts = (name: string): TemplatePart[] =>
    config.get(name, "array").flatMap((piece): TemplatePart[] => {
      const [kind, value] = isJsonObject(piece) ? (Object.entries(piece)[0] ?? []) : [];
      if (!isJsonObject(value) || !Number.isSafeInteger(value.type_id)) {
        throw invalid(`post-processor TemplateProcessing: "${name}" has a piece without a type`);
      }
      const tokenType = Number(value.type_id);
      if (kind === "Sequence") return [own(value.id === "B" ? "second" : "first", tokenType)];
      const token = tokens[String(value.id)];
      if (kind !== "SpecialToken" || !isJsonObject(token) || !Array.isArray(token.ids)) {
        throw invalid(`post-processor TemplateProcessing: the token ${JSON.stringify(value.id)} has no ids`);
      }
      return token.ids.map((id) => special(Number(id), tokenType));
    });
  const out = { single: parts("single"), pair: parts("pair") };
  if (out.single.some(({ source }) => source === "second")) throw config.unsupported("a second text in a single one");
  return out;
}

/** ByteLevel only moves offsets; of the others a sequence may have one. */
function sequence(config: StageConfig): Template {
  const stages = config.stages("processors").filter(({ type }) => type !== "ByteLevel");
  if (stages.length > 1) throw config.unsupported("several stages that add tokens");
  return stages[0] ? makeTemplate(stages[0]) : bareTemplate;
}

const kinds: { readonly [type: string]: (config: StageConfig) => Template } = {
  BertProcessing: bert,
  ByteLevel: () => bareTemplate,
  RobertaProcessing: roberta,
  Sequence: sequence,
  TemplateProcessing: template,
};

/** @throws GraftError `unsupported`, `invalid-tokenizer` */
export function makeTemplate(config: StageConfig): Template {
  return config.pick(kinds)(config);
}
