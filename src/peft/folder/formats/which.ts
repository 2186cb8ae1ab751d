import type { JsonObject } from "../../../json.js";
import type { AdapterFormat } from "./format.js";

/** The format that the object of an adapter_config.json is of; undefined where it is of none that is known. */
export function formatOf(raw: JsonObject): Exclude<AdapterFormat, "loralib"> | undefined {
  if (typeof raw.peft_type === "string") return "PEFT";
  if ("fine_tune_type" in raw || "lora_parameters" in raw || "lora_layers" in raw) return "MLX";
  const isAdapterHub = "model_class" in raw || "model_type" in raw || "hidden_size" in raw;
  return "config" in raw && isAdapterHub ? "AdapterHub" : undefined;
}
