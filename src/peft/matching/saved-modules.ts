import { GraftError } from "../../errors.js";
import { nearest } from "../../nearest.js";
import { type Module, ModuleList } from "../../nn/index.js";
import type { CommonValues } from "../config/config-class.js";
import { headNames } from "../config/task-types.js";
import type { NamedModule } from "./named-module.js";

type SavedModules = Pick<CommonValues, "modulesToSave" | "taskType">;

const isNamed = ({ names }: NamedModule, name: string): boolean => names.some((path) => path.endsWith(name));

/** The names of `modulesToSave` that pick nothing, heads of the task type aside. */
export function absentSavedModules(
  modules: readonly NamedModule[],
  { modulesToSave, taskType }: SavedModules,
): string[] {
  const heads: readonly string[] = taskType === null ? [] : headNames[taskType];
  const absent = (name: string): boolean => !heads.includes(name) && !modules.some((named) => isNamed(named, name));
  return (modulesToSave ?? []).filter(absent);
}

/**
 * The modules that are trained whole: those whose path ends with a name of `modulesToSave`, as PEFT matches them.
 * Modules inside another saved one come with it.
 * @throws GraftError `invalid-config` for a name that picks nothing, heads of the task type aside, and for one that picks
 *   a list of modules, as PEFT
 */
export function selectSavedModules(modules: readonly NamedModule[], config: SavedModules): Module[] {
  const wanted = config.modulesToSave ?? [];
  const found: NamedModule[] = [];
  for (const named of modules) {
    const inside = found.some(({ module }) => named.module.path.startsWith(`${module.path}.`));
    if (!inside && wanted.some((name) => isNamed(named, name))) found.push(named);
  }
  const list = found.find(({ module }) => module instanceof ModuleList);
  if (list) {
    throw new GraftError(
      "invalid-config",
      `modulesToSave picks ${list.names[0]}, a list of modules`,
      "Name the modules in it, e.g. by their index: layer.11.",
      { option: "modulesToSave" },
    );
  }
  const unknown = absentSavedModules(modules, config);
  if (unknown.length > 0) {
    const last = modules.flatMap(({ names }) => names).map((name) => name.slice(name.lastIndexOf(".") + 1));
    const known = last.filter((name) => !/^\d+$/.test(name));
    throw new GraftError(
      "invalid-config",
      `modulesToSave names ${unknown.join(", ")}, which this model does not have`,
      `Nearest names: ${unknown.flatMap((name) => nearest(name, known)).join(", ")}.`,
      { option: "modulesToSave" },
    );
  }
  return found.map(({ module }) => module);
}
