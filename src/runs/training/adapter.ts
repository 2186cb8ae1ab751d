import { parseAdapterConfig } from "../../peft/config/read-config.js";
import type { Run } from "../definition/run.js";
import type { Task } from "../models/settings.js";

/**
 * The LoRA config of a run, with defaults of its own: texts are SEQ_CLS; for pictures, which PEFT has no task type and no
 * usual targets for, query and value are adapted and the classifier is saved, as in PEFT's own example.
 * @throws GraftError `invalid-config`, `unsupported`
 */
export function loraConfig(lora: Run["lora"], task: Task, onWarning: (message: string) => void) {
  const defaults =
    task === "text-classification"
      ? { task_type: "SEQ_CLS" }
      : { modules_to_save: ["classifier"], target_modules: ["query", "value"] };
  return parseAdapterConfig({ peft_type: "LORA", ...defaults, ...lora }, "the section lora", onWarning);
}
