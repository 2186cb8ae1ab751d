import { GraftError } from "../../errors.js";
import { nearest } from "../../nearest.js";
import { Linear, type Module } from "../../nn/index.js";
import type { LoraConfig } from "../config/lora-config.js";
import { headNames } from "../config/task-types.js";
import { LoraLinear } from "../tuners/lora/layer.js";
import { defaultTargetModules } from "./default-targets.js";
import { isAllLinear, isSavedWhole, matcher, type Patterns } from "./patterns.js";

/** A module and the paths that transformers 4 and 5, in this order, give it (one where only one version counts). */
export interface NamedModule {
  readonly module: Module;
  readonly names: readonly string[];
}

type NamedLinear = NamedModule & { readonly module: Linear | LoraLinear };

/** The layers that LoRA can wrap, or has wrapped. */
export function isLinear(module: Module): module is Linear | LoraLinear {
  return module instanceof Linear || module instanceof LoraLinear;
}

/**
 * What `targetModules` says for a model: the config's own patterns or the model type's default ones.
 * @throws GraftError `invalid-config` where there is neither
 */
export function targetPatterns(config: LoraConfig, modelType: string): Patterns {
  const patterns = config.targetModules ?? defaultTargetModules[modelType];
  if (patterns !== undefined) return patterns;
  throw new GraftError(
    "invalid-config",
    `targetModules is not given, and models of type ${modelType} have no default`,
    'Name the modules to adapt, e.g. targetModules: ["query", "value"], or "all-linear".',
  );
}

/** Whether a path is the head of the task, which PEFT leaves out of "all-linear". */
export const isHead = (name: string, config: LoraConfig): boolean =>
  config.taskType === "SEQ_CLS" && headNames.SEQ_CLS.includes(name);

/** The rule of PEFT's `check_target_module_exists` for one module under any of the names given. */
function decision(named: NamedModule, config: LoraConfig, patterns: Patterns): "target" | "excluded" | "other" {
  const { module, names } = named;
  const some = (holds: (name: string) => boolean): boolean => names.some(holds);
  if (some(matcher(config.excludeModules))) return "excluded";
  if (some((name) => isSavedWhole(name, config.modulesToSave))) return "excluded";
  const matches = isAllLinear(patterns)
    ? isLinear(module) && !some((name) => isHead(name, config))
    : some(matcher(patterns));
  return matches ? "target" : "other";
}

const holdsLinear = (named: NamedModule): named is NamedLinear => isLinear(named.module);

/** What a config picks, by PEFT's rules: excluded and saved modules first, then the targets. */
function picked(modules: readonly NamedModule[], config: LoraConfig, patterns: Patterns): NamedModule[] {
  return modules.filter((named) => decision(named, config, patterns) === "target");
}

const transformers4 = 0;
const transformers5 = 1;

/** The modules that one version of transformers has, under its names alone. */
function spelledFor(version: number, modules: readonly NamedModule[]): NamedModule[] {
  return modules.flatMap(({ module, names }) => {
    const name = names[version];
    return name === undefined ? [] : [{ module, names: [name] }];
  });
}

/**
 * The modules that a config adapts, each tried under every name that it has. Where that picks what is no Linear (a
 * pattern for one version of transformers that fits a container of the other one), the names of one version count.
 * @throws GraftError `target-modules-not-found` with the nearest names, `unsupported` for a target that is no Linear
 */
export function selectTargets(modules: readonly NamedModule[], config: LoraConfig, modelType: string): NamedLinear[] {
  const patterns = targetPatterns(config, modelType);
  const targets = picked(modules, config, patterns);
  if (targets.length === 0) {
    throw notFound(modules, patterns, modelType, onlyExcluded(modules, config, patterns));
  }
  if (targets.every(holdsLinear)) return targets;
  for (const version of [transformers5, transformers4]) {
    const linear = picked(spelledFor(version, modules), config, patterns);
    if (linear.length > 0 && linear.every(holdsLinear)) return linear;
  }
  const other = targets.find((named) => !holdsLinear(named)) as NamedModule;
  throw new GraftError(
    "unsupported",
    `targetModules ${JSON.stringify(patterns)} picks ${other.names[0]}, a ${other.module.constructor.name}`,
    "LoRA goes around linear layers only; name those.",
  );
}

function onlyExcluded(modules: readonly NamedModule[], config: LoraConfig, patterns: Patterns): boolean {
  const open = config.with({ excludeModules: null });
  const ignoringSaved = (named: NamedModule): boolean =>
    !isAllLinear(patterns) && named.names.some(matcher(patterns)) && decision(named, open, patterns) !== "other";
  return modules.some(ignoringSaved);
}

function notFound(
  modules: readonly NamedModule[],
  patterns: Patterns,
  modelType: string,
  excluded: boolean,
): GraftError {
  const shown = JSON.stringify(patterns);
  if (excluded) {
    return new GraftError(
      "target-modules-not-found",
      `every module that targetModules ${shown} picks is excluded by excludeModules or modulesToSave`,
      "A module is either adapted, or excluded, or saved whole: check the three lists.",
    );
  }
  const wanted = typeof patterns === "string" ? [patterns.replace(/.*[.\\*]/, "")] : patterns;
  const linear = modules.filter(({ module }) => isLinear(module)).flatMap(({ names }) => names);
  const known = linear.map((name) => name.slice(name.lastIndexOf(".") + 1));
  const candidates = [...new Set(wanted.flatMap((name) => nearest(name, known)))];
  return new GraftError(
    "target-modules-not-found",
    `targetModules ${shown} match no module of this ${modelType} model`,
    `Nearest names: ${(candidates.length > 0 ? candidates : [...new Set(known)]).join(", ")}. ` +
      `A full path looks like ${linear[0] ?? "(the model has no linear layer)"}.`,
  );
}

const isNamed = ({ names }: NamedModule, name: string): boolean => names.some((path) => path.endsWith(name));

/** The names of `modulesToSave` that pick nothing, heads of the task type aside. */
export function absentSavedModules(modules: readonly NamedModule[], config: LoraConfig): string[] {
  const heads: readonly string[] = config.taskType === null ? [] : headNames[config.taskType];
  const absent = (name: string): boolean => !heads.includes(name) && !modules.some((named) => isNamed(named, name));
  return (config.modulesToSave ?? []).filter(absent);
}

/**
 * The modules that are trained whole: those whose path ends with a name of `modulesToSave`, as PEFT matches them.
 * Modules inside another saved one come with it.
 * @throws GraftError `invalid-config` for a name that picks nothing, heads of the task type aside
 */
export function selectSavedModules(modules: readonly NamedModule[], config: LoraConfig): Module[] {
  const wanted = config.modulesToSave ?? [];
  const found: NamedModule[] = [];
  for (const named of modules) {
    const inside = found.some(({ module }) => named.module.path.startsWith(`${module.path}.`));
    if (!inside && wanted.some((name) => isNamed(named, name))) found.push(named);
  }
  const unknown = absentSavedModules(modules, config);
  if (unknown.length > 0) {
    const last = modules.flatMap(({ names }) => names).map((name) => name.slice(name.lastIndexOf(".") + 1));
    const known = last.filter((name) => !/^\d+$/.test(name));
    throw new GraftError(
      "invalid-config",
      `modulesToSave names ${unknown.join(", ")}, which this model does not have`,
      `Nearest names: ${unknown.flatMap((name) => nearest(name, known)).join(", ")}.`,
    );
  }
  return found.map(({ module }) => module);
}
