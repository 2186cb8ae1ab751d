import { minimalSuffixes } from "./minimal-suffixes.js";
import type { NamedModule } from "./named-module.js";
import { isAllLinear, type Patterns } from "./patterns.js";
import { isHead, selectionOf, selectTargets, type TargetKind, type TargetSelection, targetPatterns } from "./select.js";

/** From this many names on PEFT condenses a list of targets to path ends. */
const CONDENSE_FROM = 20;

type WrittenTargets = Pick<TargetSelection, "targetModules" | "excludeModules" | "layersToTransform" | "layersPattern">;

function paths(modules: readonly NamedModule[]): string[] {
  return modules.map(({ names }) => names[0] as string);
}

/**
 * `targetModules` and `excludeModules` as they are written into adapter_config.json, so that PEFT adapts the same
 * modules. Patterns that pick the same modules under the written spelling stay as they are; others give way to path
 * ends. "all-linear" becomes a list, as PEFT writes it.
 * @param modules every module of the model under the written spelling alone
 * @param adapted paths, in that spelling, of the adapted modules
 */
export function writtenTargets(
  modules: readonly NamedModule[],
  adapted: readonly string[],
  config: TargetSelection,
  kind: TargetKind,
  modelType: string,
): WrittenTargets {
  const patterns = targetPatterns(config, kind, modelType);
  const targetModules = isAllLinear(patterns) ? allLinear(modules, config, kind) : listed(patterns);
  const kept = { targetModules, ...("excludeModules" in config ? { excludeModules: config.excludeModules } : {}) };
  if (picksExactly(modules, adapted, { ...selectionOf(config), ...kept }, kind, modelType)) return kept;
  const others = paths(modules).filter((path) => !adapted.includes(path));
  // Options that a method's config does not have are not written.
  const noneExcluded = "excludeModules" in config ? { excludeModules: null } : {};
  const anyLayer = "layersToTransform" in config ? { layersToTransform: null, layersPattern: null } : {};
  return { targetModules: minimalSuffixes(adapted, others), ...noneExcluded, ...anyLayer };
}

const listed = (patterns: Patterns): string[] | string => (typeof patterns === "string" ? patterns : [...patterns]);

function picksExactly(
  modules: readonly NamedModule[],
  adapted: readonly string[],
  config: TargetSelection,
  kind: TargetKind,
  modelType: string,
): boolean {
  try {
    const picked = paths(selectTargets(modules, config, kind, modelType));
    return picked.length === adapted.length && picked.every((path) => adapted.includes(path));
  } catch {
    // Nothing matches under this spelling, or something that the method cannot go around does.
    return false;
  }
}

/** PEFT lists every linear layer but the head, modules that are saved whole included. */
function allLinear(modules: readonly NamedModule[], config: TargetSelection, kind: TargetKind): string[] {
  const linear = paths(modules.filter(({ module }) => kind.isLinear(module))).filter((path) => !isHead(path, config));
  if (linear.length < CONDENSE_FROM) return linear.sort();
  const others = paths(modules).filter((path) => !linear.includes(path));
  const condensed = minimalSuffixes(linear, others);
  return condensed.length < linear.length ? condensed : linear.sort();
}
