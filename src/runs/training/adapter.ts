import { snakeCase } from "../../case.js";
import { fieldOf, keyOf } from "../../options/option-table.js";
import type { AdapterConfig, Tuner } from "../../peft/index.js";
import { defaultMethod, methodOf } from "../definition/method.js";
import type { Run } from "../definition/run.js";
import type { Task } from "../models/settings.js";

/**
 * What a run sets where PEFT has nothing to offer: texts are SEQ_CLS; for pictures, which PEFT has no task type for, the
 * classifier is saved, as in PEFT's own example, and the default method, which has no usual targets there, gets query and value.
 */
function defaultsOf(method: Tuner, task: Task): Record<string, unknown> {
  if (task === "text-classification") return { taskType: "SEQ_CLS" };
  return {
    modulesToSave: ["classifier"],
    ...(method.name === defaultMethod().name && { targetModules: ["query", "value"] }),
  };
}

/**
 * The config of a run's tuning method.
 * @throws GraftError `invalid-config`, `unsupported`
 */
export function adapterConfig(
  run: Pick<Run, "method" | "methods">,
  task: Task,
  onWarning: (message: string) => void,
): AdapterConfig {
  const method = methodOf(run);
  const { options } = method.Config;
  const fields = { ...defaultsOf(method, task), ...run.methods[method.name] };
  // As in adapter_config.json: that is where refusals of what PEFT knows and Graft does not build are made.
  const raw = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const field = Object.hasOwn(options, name) ? name : fieldOf(options, name);
      return [field === undefined ? snakeCase(name) : keyOf(options, field), value];
    }),
  );
  return method.Config.fromJson(raw, `the section ${method.name}`, onWarning);
}
