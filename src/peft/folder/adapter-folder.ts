import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import {
  type HubOptions,
  holds,
  type ModelFileName,
  type ModelFiles,
  openWeightsFile,
  resolveFiles,
} from "../../hub/index.js";
import type { JsonObject } from "../../json.js";
import { openSafetensors, readSafetensorsHeader, type SafetensorsFile } from "../../safetensors/read.js";
import type { AdapterConfig, OnWarning } from "../config/config-class.js";
import { parseAdapterConfig } from "../config/read-config.js";
import { adapterHubRefused } from "./formats/adapter-hub.js";
import type { AdapterFormat, UnwrittenOptions } from "./formats/format.js";
import { openLoralib, requireAlpha } from "./formats/loralib.js";
import { fromMlx } from "./formats/mlx.js";
import { formatOf } from "./formats/which.js";

const CONFIG = "adapter_config.json";

/** Where the weights may lie; the last is AdapterHub's. */
const weightNames = ["adapter_model.safetensors", "adapter_model.bin", "pytorch_adapter.bin"] as const;

/** What an adapter's training needs and adapter_model.safetensors does not hold. */
export const TRAINED = "trained.safetensors";

const WEIGHTS = "the adapter's weights";

const isAbsolute = (path: string): boolean => /^([/\\]|[a-z]:[/\\]|[a-z]+:\/\/)/i.test(path);

/** An adapter as it lies in its files, in PEFT's format or as PEFT would have it: opened once, and never changed. What it means on a network is decided there. */
export class AdapterFolder {
  private constructor(
    private readonly files: ModelFiles,
    /** In whose format it lies. */
    readonly format: AdapterFormat,
    /** The object of adapter_config.json, or what it would be in PEFT's format. */
    readonly raw: JsonObject,
    /** Of a format that is not PEFT's. */
    private readonly translated: SafetensorsFile | null,
    private readonly options: HubOptions,
  ) {}

  /**
   * Opens an adapter and reads its adapter_config.json: PEFT's, mlx-lm's (with adapters.safetensors), or a folder that holds
   * a loralib checkpoint and no config.
   * @throws GraftError `file-not-found`, `file-access`, `invalid-json`, `lfs-pointer`; `invalid-config` for another program's
   *   config, `unsupported` for what of another format is not read
   */
  static async open(reference: string, options: HubOptions & UnwrittenOptions = {}): Promise<AdapterFolder> {
    const files = await resolveFiles(reference, undefined, options);
    if (!(await files.has(CONFIG))) {
      const loralib = await openLoralib(files, options);
      if (loralib) return new AdapterFolder(files, "loralib", loralib.raw, loralib.tensors, options);
      await resolveFiles(reference, "adapter", options);
    }
    const raw = await files.json(CONFIG, "the adapter's config");
    if (formatOf(raw) !== "MLX") return new AdapterFolder(files, formatOf(raw) ?? "PEFT", raw, null, options);
    const file = await openWeightsFile(await files.path("adapters.safetensors", WEIGHTS));
    const mlx = fromMlx(raw, file, files.origin);
    return new AdapterFolder(files, "MLX", mlx.raw, mlx.tensors, options);
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

  /** The config, checked. @throws GraftError as `parseAdapterConfig`, `invalid-argument` for a loralib checkpoint without `loraAlpha` */
  config(onWarning: OnWarning): AdapterConfig {
    if (this.format === "AdapterHub") throw adapterHubRefused(this.origin);
    if (this.format === "loralib") requireAlpha(this.raw, this.origin);
    return parseAdapterConfig(this.raw, this.files.place(CONFIG), onWarning);
  }

  /** Whether there is such a file beside the config. */
  has(name: ModelFileName): Promise<boolean> {
    return this.files.has(name);
  }

  /** Whether there are weights beside the config. */
  async hasWeights(): Promise<boolean> {
    return this.translated !== null || (await this.weightsName()) !== undefined;
  }

  private async weightsName(): Promise<ModelFileName | undefined> {
    for (const name of weightNames) if (await this.files.has(name)) return name;
    return undefined;
  }

  /**
   * Its tensors, none of which is read yet, under PEFT's names: of adapter_model.safetensors, or where there is none of
   * adapter_model.bin.
   * @throws GraftError `file-not-found`, `lfs-pointer`, `invalid-safetensors`, `invalid-pickle`, `pickle-refused`
   */
  async tensors(): Promise<SafetensorsFile> {
    if (this.translated) return this.translated;
    const name = (await this.weightsName()) ?? "adapter_model.safetensors";
    return openWeightsFile(await this.files.path(name, WEIGHTS));
  }

  /**
   * The tensors of an adapter of the Hub that is not in the cache, as its header says, without bringing their elements;
   * undefined for one that is here, and for a format that has to be read whole.
   * @throws GraftError `invalid-safetensors`, `hub-unreachable`
   */
  async remoteHeader(): Promise<SafetensorsFile | undefined> {
    const name = this.translated ? undefined : await this.weightsName();
    const ranges = name?.endsWith(".safetensors") ? await this.files.ranges(name) : undefined;
    return ranges && readSafetensorsHeader(ranges);
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
