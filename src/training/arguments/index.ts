export { argumentAliases, snakeCase } from "./aliases.js";
export { type TrainingArgumentName, trainingArgumentFields } from "./fields.js";
export {
  TrainingArguments,
  type TrainingArgumentsOptions,
  type TrainingArgumentValues,
} from "./training-arguments.js";
