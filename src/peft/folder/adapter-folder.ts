import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { type HubOptions, holds, type ModelFiles, resolveFiles } from "../../hub/index.js";
import type { JsonObject } from "../../json.js";
import { openSafetensors, type SafetensorsFile } from "../../safetensors/read.js";
import type { AdapterConfig, OnWarning } from "../config/config-class.js";
import { parseAdapterConfig } from "../config/read-config.js";

const CONFIG = "adapter_config.json";

/** What an adapter's training needs and adapter_model.safetensors does not hold. */
export const TRAINED = "trained.safetensors";

const isAbsolute = (path: string): boolean => /^([/\\]|[a-z]:[/\\]|[a-z]+:\/\/)/i.test(path);

/** An adapter in PEFT's format as it lies in its files: opened once, and never changed. What it means on a network is decided there. */
export class AdapterFolder {
  private constructor(
    private readonly files: ModelFiles,
    /** The object of adapter_config.json. */
    readonly raw: JsonObject,
    private readonly options: HubOptions,
  ) {}

  /**
   * Opens an adapter and reads its adapter_config.json.
   * @throws GraftError `file-not-found`, `file-access`, `invalid-json`, `lfs-pointer`, `pickle-refused` (weights as .bin)
   */
  static async open(reference: string, options: HubOptions = {}): Promise<AdapterFolder> {
    const files = await resolveFiles(reference, "adapter", options);
    return new AdapterFolder(files, await files.json(CONFIG, "the adapter's config"), options);
  }

  /** How the base model is found: as the adapter was, at the revision that the config names. */
  get baseOptions(): HubOptions {
    const { revision: _, subfolder: __, ...others } = this.options;
    const { revision } = this.raw;
    return typeof revision === "string" ? { ...others, revision } : others;
  }

  /** The reference that it was opened by. */
  get origin(): string {
    return this.files.origin;
  }

  /** The config, checked. @throws GraftError as `parseAdapterConfig` */
  config(onWarning: OnWarning): AdapterConfig {
    return parseAdapterConfig(this.raw, this.files.place(CONFIG), onWarning);
  }

  /** Its tensors, none of which is read yet. @throws GraftError `file-not-found`, `lfs-pointer`, `invalid-safetensors` */
  async tensors(): Promise<SafetensorsFile> {
    return openSafetensors(await this.files.path("adapter_model.safetensors", "the adapter's weights"));
  }

  /** What is trained beside them; null where the folder holds none. @throws GraftError `lfs-pointer`, `invalid-safetensors` */
  async trained(): Promise<SafetensorsFile | null> {
    if (!(await this.files.has(TRAINED))) return null;
    return openSafetensors(await this.files.path(TRAINED, "what was trained"));
  }

  /** Classes of the head that it brings; undefined where it brings none. @throws GraftError as `tensors` */
  async headSize(): Promise<number | undefined> {
    const { entries } = await this.tensors();
    const head = [...entries.values()].find(({ name }) => /(^|\.)(classifier|score)(\.out_proj)?\.weight$/.test(name));
    return head?.shape[0];
  }

  /**
   * The base model that the config names (`base_model_name_or_path`: what was given to `fromPretrained` when the adapter
   * was made). A relative path counts from the current directory, as in PEFT; where no model lies there, from the
   * adapter's own folder, so that an adapter with "../base" can be moved together with its base.
   * @throws GraftError `file-not-found` where it names no base, or none that lies here or on the Hub; `hub-access`, `hub-unreachable`
   */
  async baseModel(): Promise<string> {
    const { base_model_name_or_path: base } = this.raw;
    const path = this.files.place(CONFIG);
    const hint = "Name the base model's own folder (on the command line with --model).";
    if (typeof base !== "string" || base === "") {
      throw new GraftError("file-not-found", `${path} names no base model`, hint);
    }
    const places = isAbsolute(base) ? [base] : [base, this.files.beside(base)];
    for (const place of places) if (await holds(place, "config.json", this.baseOptions)) return place;
    throw new GraftError(
      "file-not-found",
      `${path} names the base model "${base}", but there is no model in ${places.map((place) => platform.resolve(place)).join(" or ")}`,
      isAbsolute(base)
        ? hint
        : `Relative paths count from the current directory, then from the adapter's folder. ${hint} A model of the Hugging Face Hub is named "org/name".`,
    );
  }
}
