import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { keyOf } from "../../options/option-table.js";
import { commonOptions } from "../../peft/config/common-options.js";
import { PeftConfig, type PeftModel, tuners } from "../../peft/index.js";
import type { CompleteRun } from "../definition/run.js";
import { readSettings, type Settings } from "../models/settings.js";
import { isAdapterFolder } from "../models/source.js";

type Values = Readonly<Record<string, unknown>>;

/**
 * Keys of a config that change a run's course; other layers or another rank do not fit the checkpoint's tensors, and how
 * an adapter begins is past.
 */
function decisiveKeys(peftType: string): string[] {
  const options = tuners().find(({ type }) => type === peftType)?.Config.options ?? {};
  const fields = Object.keys(options).filter(
    (field) => !Object.hasOwn(commonOptions, field) && ["number", "switch", "choice"].includes(options[field]!.kind),
  );
  return ["peft_type", ...fields.map((field) => keyOf(options, field)).filter((key) => !key.startsWith("init_"))];
}

/** The settings that are compared, in run-file spelling. */
function comparable(config: Values, settings: Settings | undefined, base: unknown, keys: readonly string[]): Values {
  return {
    model: typeof base === "string" ? platform.resolve(base) : undefined,
    ...Object.fromEntries(keys.map((key) => [key, config[key]])),
    max_length: settings?.maxLength,
    transforms: settings?.transforms,
  };
}

const shown = (value: unknown): string => String(value ?? "not set");

const classesOf = ({ problemType, labels }: Settings): string =>
  labels === undefined ? problemType : Object.values(labels.id2label).join(", ");

/**
 * Compares a run with the one that a checkpoint is of, as far as the Trainer does not: warns of another base, other
 * settings of the adapter, and other ones of the data.
 * @throws GraftError `invalid-config` for other classes, or the same in another order
 */
export async function checkResumed(
  checkpoint: string,
  run: CompleteRun,
  { model, settings }: { readonly model: PeftModel; readonly settings: Settings },
  onWarning: (message: string) => void,
): Promise<void> {
  // What is no checkpoint of an adapter is the Trainer's to refuse.
  if (!(await isAdapterFolder(checkpoint))) return;
  const oldSettings = await readSettings(checkpoint);
  if (oldSettings && classesOf(oldSettings) !== classesOf(settings)) {
    throw new GraftError(
      "invalid-config",
      `${checkpoint} was trained for ${classesOf(oldSettings)}, and this run is for ${classesOf(settings)}`,
      "Resume with the labels of the interrupted run, in its order, or begin a new run in another folder.",
    );
  }
  const oldConfig = (await PeftConfig.fromPretrained(checkpoint, { onWarning: () => {} })).toJson();
  const config = Object.values(model.peftConfig)[0]?.toJson() ?? {};
  const keys = decisiveKeys(String(config.peft_type));
  const old = comparable(oldConfig, oldSettings, oldConfig.base_model_name_or_path, keys);
  const now = comparable(config, settings, config.base_model_name_or_path ?? run.model, keys);
  const changed = Object.keys(now)
    .filter((key) => old[key] !== now[key])
    .map((key) => `${key} (${shown(now[key])}, was ${shown(old[key])})`);
  if (changed.length === 0) return;
  onWarning(`${checkpoint} is of a run with other settings: ${changed.join(", ")}; the run will take another course`);
}
