import { snakeCase } from "../../case.js";
import { fieldOf, keyOf, type OptionTable } from "../../options/option-table.js";
import { tuners } from "../../peft/index.js";
import { argumentAliases, trainingArgumentFields } from "../../training/arguments/index.js";
import { dataOptions, runOptions } from "./options.js";

/** A group of a run's options, under one heading in a run file. Flags, checks and messages are made from it. */
export interface Section {
  /** The heading; "" for the options outside of sections. */
  readonly name: string;
  readonly options: OptionTable;
  /** Set where the options are those of a tuning method, which the section is named after. */
  readonly isMethod: boolean;
  /** Old names of options, as files write them. */
  readonly oldKeys: readonly string[];
  /** Keys that are taken and refused further on, by those who know why. */
  readonly refusedKeys: readonly string[];
}

function section(name: string, options: OptionTable, rest: Partial<Section> = {}): Section {
  return { name, options, isMethod: false, oldKeys: [], refusedKeys: [], ...rest };
}

const without = (options: OptionTable, left: string): OptionTable =>
  Object.fromEntries(Object.entries(options).filter(([field]) => field !== left));

/** Frozen weights of runs are as fast as they can be, where nothing is asked for. */
export const usualPrecision = "auto";
const frozenPrecision = { ...trainingArgumentFields.frozenPrecision, default: usualPrecision };

/** Every section there is, one for each tuning method that is registered among them. */
export function sections(): readonly Section[] {
  const methods = tuners().map(({ name, Config }) =>
    section(name, without(Config.options, "inferenceMode"), {
      isMethod: true,
      refusedKeys: [...Object.keys(Config.unbuilt), "peft_type"],
    }),
  );
  return [
    section("", runOptions),
    section("data", dataOptions),
    ...methods,
    // The run's output stands outside of the section.
    section(
      "training",
      { ...without(trainingArgumentFields, "outputDir"), frozenPrecision },
      {
        oldKeys: Object.keys(argumentAliases).map(snakeCase),
      },
    ),
  ];
}

/** The keys of a section's options, as files write them. */
export function keysOf({ options }: Section): string[] {
  return Object.keys(options).map((field) => keyOf(options, field));
}

/** The option of a key, by its field; the key itself where it is one that is judged further on; undefined for none. */
export function settingField(of: Section, key: string): string | undefined {
  if (of.oldKeys.includes(key)) return Object.keys(argumentAliases).find((alias) => snakeCase(alias) === key);
  return fieldOf(of.options, key) ?? (of.refusedKeys.includes(key) ? key : undefined);
}
