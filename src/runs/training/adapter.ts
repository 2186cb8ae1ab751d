import { snakeCase } from "../../case.js";
import { fieldOf, keyOf } from "../../options/option-table.js";
import type { AdapterConfig } from "../../peft/index.js";
import { type TaskName, tasks } from "../../tasks/index.js";
import { methodOf } from "../definition/method.js";
import type { Run } from "../definition/run.js";

/**
 * The config of a run's tuning method, with the defaults of its task where it has one.
 * @throws GraftError `invalid-config`, `unsupported`
 */
export function adapterConfig(
  run: Pick<Run, "method" | "methods">,
  task: TaskName | undefined,
  onWarning: (message: string) => void,
): AdapterConfig {
  const method = methodOf(run);
  const { options } = method.Config;
  const usual = Object.entries(task ? tasks[task].adapterDefaults : {}).filter(
    ([key]) => fieldOf(options, key) !== undefined,
  );
  const given = Object.entries(run.methods[method.name] ?? {}).map(([field, value]) => [
    Object.hasOwn(options, field) ? keyOf(options, field) : snakeCase(field),
    value,
  ]);
  // As in adapter_config.json: that is where refusals of what PEFT knows and Graft does not build are made.
  const raw = Object.fromEntries([...usual, ...given]) as Record<string, unknown>;
  return method.Config.fromJson(raw, `the section ${method.name}`, onWarning);
}
