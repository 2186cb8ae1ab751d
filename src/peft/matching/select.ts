import { GraftError } from "../../errors.js";
import { nearest } from "../../nearest.js";
import type { AdapterConfig, CommonValues } from "../config/config-class.js";
import { headNames } from "../config/task-types.js";
import { inLayers, type LayerIndices } from "./layers.js";
import type { NamedModule } from "./named-module.js";
import { isAllLinear, isSavedWhole, matcher, type Patterns } from "./patterns.js";

/** The options by which a config says where a method goes. */
export interface TargetSelection extends Pick<CommonValues, "modulesToSave" | "taskType"> {
  readonly targetModules: Patterns | null;
  /** Null: none; not there in configs of methods that cannot leave modules out. */
  readonly excludeModules?: Patterns | null;
  /** Indices of the layers in which modules are adapted, for methods that have the option; null: in all. */
  readonly layersToTransform?: LayerIndices | null;
  /** Names of the list of layers whose indices are meant; null: the first index of a path. */
  readonly layersPattern?: Patterns | null;
}

/** Whether a config says where its method goes. */
export const hasTargets = (config: AdapterConfig): config is AdapterConfig & TargetSelection =>
  "targetModules" in config;

/** The selecting options of a config alone. */
export const selectionOf = (config: TargetSelection) => ({
  targetModules: config.targetModules,
  excludeModules: config.excludeModules ?? null,
  modulesToSave: config.modulesToSave,
  taskType: config.taskType,
  layersToTransform: config.layersToTransform ?? null,
  layersPattern: config.layersPattern ?? null,
});

/** What a method can go around. */
export interface TargetKind {
  /** Whether it can go around a module. */
  accepts(module: NamedModule["module"]): boolean;
  /** Whether a module is meant by "all-linear". */
  isLinear(module: NamedModule["module"]): boolean;
  /** "IA3 goes around linear layers only", for refusals. */
  readonly rule: string;
  /** The usual targets, by model type. */
  readonly defaults: Readonly<Record<string, Patterns>>;
}

/**
 * What `targetModules` says for a model: the config's own patterns or the model type's default ones.
 * @throws GraftError `invalid-config` where there is neither
 */
export function targetPatterns(config: TargetSelection, kind: TargetKind, modelType: string): Patterns {
  const patterns = config.targetModules ?? kind.defaults[modelType];
  if (patterns !== undefined) return patterns;
  throw new GraftError(
    "invalid-config",
    `targetModules is not given, and models of type ${modelType} have no default`,
    'Name the modules to adapt, e.g. targetModules: ["query", "value"], or "all-linear".',
    { option: "targetModules" },
  );
}

/** Where a language model's output projection is. */
const OUTPUT_PROJECTION = "lm_head";

/** Whether a path is the head of the task, which PEFT leaves out of "all-linear". */
export const isHead = (name: string, { taskType }: TargetSelection): boolean =>
  name === OUTPUT_PROJECTION || (taskType === "SEQ_CLS" && headNames.SEQ_CLS.includes(name));

/** The rule of PEFT's `check_target_module_exists` for one module under any of the names given. */
function decision(
  { module, names }: NamedModule,
  config: TargetSelection,
  kind: TargetKind,
  patterns: Patterns,
): "target" | "excluded" | "other" {
  const some = (holds: (name: string) => boolean): boolean => names.some(holds);
  if (some(matcher(config.excludeModules ?? null))) return "excluded";
  if (some((name) => isSavedWhole(name, config.modulesToSave))) return "excluded";
  const matches = isAllLinear(patterns)
    ? kind.isLinear(module) && !some((name) => isHead(name, config))
    : some(nameMatcher(config, patterns));
  return matches ? "target" : "other";
}

/** Names that a list gives in full are adapted in any layer, as in PEFT. */
function nameMatcher(config: TargetSelection, patterns: Patterns): (name: string) => boolean {
  const matches = matcher(patterns);
  const isInLayer = inLayers(config.layersToTransform ?? null, config.layersPattern ?? null);
  return (name) => matches(name) && (patterns.includes(name) || isInLayer(name));
}

/** Whether `excludeModules` or `modulesToSave` keeps any module of the model from being adapted. */
export function excludesAny(modules: readonly NamedModule[], config: TargetSelection): boolean {
  const isExcluded = matcher(config.excludeModules ?? null);
  return modules.some(({ names }) =>
    names.some((name) => isExcluded(name) || isSavedWhole(name, config.modulesToSave)),
  );
}

/** What a config picks, by PEFT's rules: excluded and saved modules first, then the targets. */
function picked(
  modules: readonly NamedModule[],
  config: TargetSelection,
  kind: TargetKind,
  patterns: Patterns,
): NamedModule[] {
  return modules.filter((named) => decision(named, config, kind, patterns) === "target");
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
 * The modules that a config adapts, each tried under every name that it has. Where that picks what the method cannot go
 * around (a pattern for one version of transformers that fits a container of the other one), the names of one version
 * count.
 * @throws GraftError `target-modules-not-found` with the nearest names, `unsupported` for a target of another kind
 */
export function selectTargets(
  modules: readonly NamedModule[],
  config: TargetSelection,
  kind: TargetKind,
  modelType: string,
): NamedModule[] {
  const patterns = targetPatterns(config, kind, modelType);
  const targets = picked(modules, config, kind, patterns);
  const fits = ({ module }: NamedModule): boolean => kind.accepts(module);
  if (targets.length === 0) {
    throw notFound(modules, patterns, kind, modelType, onlyExcluded(modules, config, kind, patterns));
  }
  if (targets.every(fits)) return targets;
  for (const version of [transformers5, transformers4]) {
    const ofVersion = picked(spelledFor(version, modules), config, kind, patterns);
    if (ofVersion.length > 0 && ofVersion.every(fits)) return ofVersion;
  }
  const other = targets.find((named) => !fits(named)) as NamedModule;
  throw new GraftError(
    "unsupported",
    `targetModules ${JSON.stringify(patterns)} picks ${other.names[0]}, a ${other.module.constructor.name}`,
    `${kind.rule}; name those.`,
    { option: "targetModules" },
  );
}

function onlyExcluded(
  modules: readonly NamedModule[],
  config: TargetSelection,
  kind: TargetKind,
  patterns: Patterns,
): boolean {
  if (isAllLinear(patterns)) return false;
  const open = { ...selectionOf(config), excludeModules: null };
  return modules.some(
    (named) => named.names.some(matcher(patterns)) && decision(named, open, kind, patterns) !== "other",
  );
}

function notFound(
  modules: readonly NamedModule[],
  patterns: Patterns,
  kind: TargetKind,
  modelType: string,
  excluded: boolean,
): GraftError {
  const shown = JSON.stringify(patterns);
  if (excluded) {
    return new GraftError(
      "target-modules-not-found",
      `every module that targetModules ${shown} picks is excluded by excludeModules or modulesToSave`,
      "A module is either adapted, or excluded, or saved whole: check the three lists.",
      { option: "targetModules" },
    );
  }
  const wanted = typeof patterns === "string" ? [patterns.replace(/.*[.\\*]/, "")] : patterns;
  const fitting = modules.filter(({ module }) => kind.accepts(module)).flatMap(({ names }) => names);
  const known = fitting.map((name) => name.slice(name.lastIndexOf(".") + 1));
  const candidates = [...new Set(wanted.flatMap((name) => nearest(name, known)))];
  return new GraftError(
    "target-modules-not-found",
    `targetModules ${shown} match no module of this ${modelType} model`,
    `Nearest names: ${(candidates.length > 0 ? candidates : [...new Set(known)]).join(", ")}. ` +
      `A full path looks like ${fitting[0] ?? "(the model has no such layer)"}.`,
    { option: "targetModules" },
  );
}
