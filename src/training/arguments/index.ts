export { argumentAliases } from "./aliases.js";
export { type TrainingArgumentName, type TrainingArgumentValues, trainingArgumentFields } from "./fields.js";
export {
  TrainingArguments,
  type TrainingArgumentsOptions,
} from "./training-arguments.js";
