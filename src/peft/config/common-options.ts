import * as z from "zod";
import { option } from "../../options/option-table.js";
import { taskTypes } from "./task-types.js";

/** A list of names. */
export const names = z.array(z.string().min(1)).readonly();

/** Names or path ends of modules, or one regular expression over whole paths. */
export const patterns = z.union([names, z.string().min(1)]);

/** What every adapter's config holds (PEFT's PeftConfig), and the modules that are trained whole beside the method. */
export const commonOptions = {
  /** PEFT's task type: "SEQ_CLS" and "TOKEN_CLS" also train and save the modules `classifier` and `score`, "QUESTION_ANS" `qa_outputs`. Default null. */
  taskType: option("choice", z.enum(taskTypes).nullable(), null, {
    help: "The task; it decides which heads are trained and saved besides",
    expected: `null or one of ${taskTypes.join(", ")}`,
  }),
  /** Names of modules that are copied, trained whole, and saved with the adapter. Default null: none. */
  modulesToSave: option("list", names.nullable(), null, {
    help: "Modules that are trained and saved whole",
    expected: "null or a list of module names",
  }),
  /** The base model that adapter_config.json names. Default null: what it was loaded from. */
  baseModelNameOrPath: option("text", z.string().nullable(), null, {
    help: "What adapter_config.json names as the base",
    expected: "null or a text",
  }),
  /** Revision of the base model on the Hugging Face Hub; written as it is. Default null. */
  revision: option("text", z.string().nullable(), null, {
    help: "Revision of the base that adapter_config.json names",
    expected: "null or a text",
  }),
  /** Whether the adapter is for prediction, not trainable. Default false. */
  inferenceMode: option("switch", z.boolean(), false, { help: "For prediction alone; written as true, as PEFT does" }),
};

/** Which modules a method goes to. */
export const targetOptions = {
  /** Names (equal to a module's path or its end after a dot), a regular expression that matches whole paths, "all-linear", or null for the model type's usual ones. Names of transformers 4 and 5 both work. Default null. */
  targetModules: option("pattern", patterns.nullable(), null, {
    help: 'Names of the adapted layers, a regular expression, or "all-linear". Default: the usual ones of the model type',
    expected: 'null, a list of module names, a regular expression, or "all-linear"',
  }),
  /** Names or a regular expression, as before: modules that are not adapted. Default null: none. */
  excludeModules: option("pattern", patterns.nullable(), null, {
    help: "Layers that are left out, as names or a regular expression",
    expected: "null, a list of module names, or a regular expression",
  }),
};
