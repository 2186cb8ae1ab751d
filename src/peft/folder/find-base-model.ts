import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { readJsonObject } from "../../hub/json-file.js";
import { requireFile, resolveModelFolder } from "../../hub/model-folder.js";

const isAbsolute = (path: string): boolean => /^([/\\]|[a-z]:[/\\]|[a-z]+:\/\/)/i.test(path);

/**
 * The folder of the base model that an adapter's config names (`base_model_name_or_path`: what was given to
 * `fromPretrained` when the adapter was made). A relative path counts from the current directory, as in PEFT; where no
 * model lies there, from the adapter's own folder, so that an adapter with "../base" can be moved together with its base.
 *
 * @example
 * const model = await AutoModelForSequenceClassification.fromPretrained(await findBaseModel("runs/sst2"));
 * const adapted = await PeftModel.fromPretrained(model, "runs/sst2");
 * @throws GraftError `file-not-found` where it names no base, or none that lies here; `invalid-json`
 */
export async function findBaseModel(adapterFolder: string): Promise<string> {
  const folder = await resolveModelFolder(adapterFolder, "adapter");
  const path = requireFile(folder, "adapter_config.json", "the name of the base model");
  const { base_model_name_or_path: base } = await readJsonObject(path, "the adapter's config");
  const hint = "Name the base model's own folder (on the command line with --model).";
  if (typeof base !== "string" || base === "") {
    throw new GraftError("file-not-found", `${path} names no base model`, hint);
  }
  const places = isAbsolute(base) ? [base] : [base, platform.join(adapterFolder, base)];
  for (const place of places) {
    if (await platform.exists(platform.join(place, "config.json"))) return place;
  }
  throw new GraftError(
    "file-not-found",
    `${path} names the base model "${base}", but there is no model in ${places.map((place) => platform.resolve(place)).join(" or ")}`,
    isAbsolute(base)
      ? hint
      : `Relative paths count from the current directory, then from the adapter's folder. ${hint} A model on the Hugging Face Hub must be downloaded first.`,
  );
}
