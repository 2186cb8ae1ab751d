import { GraftError } from "../../errors.js";
import { requireTuner } from "../tuners/registry.js";
import type { AdapterConfig, OnWarning } from "./config-class.js";

/**
 * The config of an adapter.
 * @param raw the object of adapter_config.json
 * @param where names the file in messages
 * @throws GraftError `invalid-config` (no peft_type), `unsupported` (another method, or a field not implemented)
 */
export function parseAdapterConfig(
  raw: Readonly<Record<string, unknown>>,
  where: string,
  onWarning: OnWarning,
): AdapterConfig {
  const type = raw.peft_type;
  if (typeof type !== "string") {
    throw new GraftError(
      "invalid-config",
      `${where} has no peft_type, so it is not a config that PEFT wrote`,
      "Name the folder of an adapter in Hugging Face PEFT's format.",
    );
  }
  return requireTuner(type, where).Config.fromJson(raw, where, onWarning);
}
