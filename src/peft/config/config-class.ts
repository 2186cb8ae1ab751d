import { GraftError } from "../../errors.js";
import { isJsonObject, shown } from "../../json.js";
import { checkedOptions, fieldOf, keyOf, type OptionTable, type OptionValues } from "../../options/option-table.js";
import { commonOptions } from "./common-options.js";
import { headNames } from "./task-types.js";

/** The version of PEFT whose format is written. */
export const PEFT_VERSION = "0.21.0";

/** Tells transformers which class the base model is; PEFT writes it where there is no task type. */
export interface AutoMapping {
  readonly base_model_class: string;
  readonly parent_library: string;
}

/** Told about what is odd but not wrong. */
export type OnWarning = (message: string) => void;

/** Fields that PEFT knows and Graft does not build. */
export type UnbuiltFields = {
  readonly [key: string]: {
    /** The value that is written. */
    readonly unset: unknown;
    /** Which values count as unset besides. */
    readonly alsoUnset?: (value: unknown) => boolean;
    /** Why it is not built. */
    readonly reason: string;
  };
};

/** The options that every config has. */
export type CommonValues = OptionValues<typeof commonOptions>;

/** The config of an adapter of any method. */
export interface AdapterConfig extends CommonValues {
  /** PEFT's name of the method. */
  readonly peftType: string;
  readonly autoMapping: AutoMapping | null;
  /** All options by field, defaults filled in. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The same config with some options changed. */
  with(changes: Readonly<Record<string, unknown>>, autoMapping?: AutoMapping | null): this;
  /** The object of adapter_config.json: the keys that PEFT writes, sorted, name lists sorted. */
  toJson(): Record<string, unknown>;
}

/** What a method's class of configs must have, whatever its options are. */
export interface AnyConfigClass {
  new (options?: never, autoMapping?: AutoMapping | null): AdapterConfig;
  readonly peftType: string;
  /** Every option of the method, the common ones included. */
  readonly options: OptionTable;
  /** Names of fields that PEFT knows and Graft refuses. */
  readonly unbuilt: UnbuiltFields;
  /**
   * Reads the object of an adapter_config.json.
   * @param where names the file in messages
   * @param onWarning told about keys that nobody knows: they are left out, as PEFT does
   * @throws GraftError `unsupported` naming each field that Graft does not build, `invalid-config`
   */
  fromJson(raw: Readonly<Record<string, unknown>>, where: string, onWarning: OnWarning): AdapterConfig;
}

export interface ConfigClass<T extends OptionTable> extends Pick<AnyConfigClass, keyof AnyConfigClass> {
  new (
    options?: Partial<OptionValues<T> & CommonValues>,
    autoMapping?: AutoMapping | null,
  ): AdapterConfig & OptionValues<T>;
}

/** The options that a config's constructor takes. */
export type OptionsOf<C extends new (options?: never) => AdapterConfig> = Partial<
  Omit<InstanceType<C>, keyof Omit<AdapterConfig, keyof CommonValues>>
>;

export interface ConfigSpec<T extends OptionTable> {
  /** `peft_type` in JSON. */
  readonly peftType: string;
  readonly options: T;
  readonly unbuilt?: UnbuiltFields;
  /** Values of built options that PEFT knows and Graft does not build; a reason to refuse, or undefined. */
  readonly refuse?: (raw: Readonly<Record<string, unknown>>) => readonly string[];
  /** Rules between options, checked after each alone. @throws GraftError `invalid-config` */
  readonly check?: (values: OptionValues<T> & CommonValues, where: string) => void;
  /** Whether PEFT has the method: its version is written then. Default true. */
  readonly isPefts?: boolean;
}

const bookkeeping = ["peft_type", "peft_version", "auto_mapping", "runtime_config"];

/** PEFT keeps these as sets, so that their order says nothing. */
const sets = ["targetModules", "excludeModules", "feedforwardModules"];

function isUnset(value: unknown, { unset, alsoUnset }: UnbuiltFields[string]): boolean {
  if (value === undefined || value === null || value === unset || alsoUnset?.(value)) return true;
  return isJsonObject(unset) && isJsonObject(value) && Object.keys(value).length === 0;
}

/** The modules that the task type adds to those that are saved whole. */
function withHeads({ modulesToSave, taskType }: CommonValues): readonly string[] | null {
  const heads = taskType === null ? [] : headNames[taskType];
  const all = [...new Set([...(modulesToSave ?? []), ...heads])];
  return all.length === 0 ? modulesToSave : all;
}

/**
 * Makes the class of a method's configs from its table: constructor, one getter an option, reading and writing of
 * adapter_config.json, and refusals.
 */
export function configClass<T extends OptionTable>(spec: ConfigSpec<T>): ConfigClass<T> {
  const { peftType, unbuilt = {}, isPefts = true } = spec;
  const table: OptionTable = { ...commonOptions, ...spec.options };

  class Config {
    static readonly peftType = peftType;
    static readonly options = table;
    static readonly unbuilt = unbuilt;
    readonly peftType = peftType;
    readonly fields: Readonly<Record<string, unknown>>;

    constructor(
      options: Readonly<Record<string, unknown>> = {},
      readonly autoMapping: AutoMapping | null = null,
    ) {
      const values = checkedOptions(table, options, new.target.name) as OptionValues<T> & CommonValues;
      spec.check?.(values, new.target.name);
      this.fields = { ...values, modulesToSave: withHeads(values) };
    }

    with(changes: Readonly<Record<string, unknown>>, autoMapping = this.autoMapping): Config {
      const Self = this.constructor as typeof Config;
      return new Self({ ...this.fields, ...changes }, autoMapping);
    }

    toJson(): Record<string, unknown> {
      const written = Object.entries(this.fields).map(([field, value]): [string, unknown] => {
        const isSet = sets.includes(field) && Array.isArray(value);
        return [keyOf(table, field), isSet ? [...value].sort() : value];
      });
      const all: Record<string, unknown> = {
        ...Object.fromEntries(Object.entries(unbuilt).map(([key, { unset }]) => [key, unset])),
        ...Object.fromEntries(written),
        auto_mapping: this.autoMapping,
        peft_type: peftType,
        peft_version: isPefts ? PEFT_VERSION : null,
      };
      return Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
    }

    static fromJson(raw: Readonly<Record<string, unknown>>, where: string, onWarning: OnWarning): Config {
      const refused = Object.keys(unbuilt).filter((key) => !isUnset(raw[key], unbuilt[key]!));
      const settings = [
        ...refused.map((key) => `${key} = ${shown(raw[key])} (${unbuilt[key]!.reason})`),
        ...(spec.refuse?.(raw) ?? []),
      ];
      if (settings.length > 0) {
        throw new GraftError(
          "unsupported",
          `${where} asks for what Graft does not do: ${settings.join(", ")}`,
          "Use an adapter without it.",
        );
      }
      const unknown = Object.keys(raw).filter(
        (key) => fieldOf(table, key) === undefined && !(key in unbuilt) && !bookkeeping.includes(key),
      );
      if (unknown.length > 0) onWarning(`${where}: unknown keys are left out: ${unknown.sort().join(", ")}`);
      const options: Record<string, unknown> = {};
      for (const [field, { default: usual }] of Object.entries(table)) {
        const value = raw[keyOf(table, field)];
        // Python takes null for false and for an empty dict; a rank or a scale of null is none.
        if (value === null && (typeof usual === "boolean" || isJsonObject(usual))) continue;
        options[field] = value;
      }
      const values = checkedOptions(table, options, where, (field) => keyOf(table, field));
      return new this(values, (raw.auto_mapping ?? null) as AutoMapping | null);
    }
  }
  for (const field of Object.keys(table)) {
    Object.defineProperty(Config.prototype, field, {
      get(this: Config) {
        return this.fields[field];
      },
    });
  }
  return Config as unknown as ConfigClass<T>;
}
