import { translateRegex } from "../regex/translate.js";
import { invalid, type StageConfig } from "./config.js";

/** The expression of a stage's "pattern": {"String": ...} literally, {"Regex": ...} translated from Oniguruma. */
export function patternOf(config: StageConfig): RegExp {
  const { String: literal, Regex: source } = config.get("pattern", "object");
  if (typeof source === "string") return translateRegex(source);
  if (typeof literal !== "string")
    throw invalid(`${config.place} ${config.type}: "pattern" has no String and no Regex`);
  return new RegExp(literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "gu");
}
