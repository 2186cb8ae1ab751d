import type { JsonObject } from "../../../json.js";
import type { SafetensorsFile } from "../../../safetensors/read.js";

/** In whose format an adapter lies. */
export type AdapterFormat = "PEFT" | "MLX" | "loralib" | "AdapterHub";

/** What an adapter of another format is to PEFT. */
export interface TranslatedAdapter {
  /** The object that adapter_config.json would be. */
  readonly raw: JsonObject;
  readonly tensors: SafetensorsFile;
}

/** What of a loralib checkpoint stands in the program that made it and not in the file. */
export interface UnwrittenOptions {
  /** loralib's `lora_alpha`. */
  readonly loraAlpha?: number;
}
