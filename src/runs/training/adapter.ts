import { parseAdapterConfig } from "../../peft/config/read-config.js";
import { type TaskName, tasks } from "../../tasks/index.js";
import type { Run } from "../definition/run.js";

/**
 * The LoRA config of a run, with the defaults of its task.
 * @throws GraftError `invalid-config`, `unsupported`
 */
export function loraConfig(lora: Run["lora"], task: TaskName, onWarning: (message: string) => void) {
  return parseAdapterConfig(
    { peft_type: "LORA", ...tasks[task].adapterDefaults, ...lora },
    "the section lora",
    onWarning,
  );
}
