import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { isOfHub, resolveFiles } from "../../hub/index.js";
import {
  architectures,
  autoClasses,
  type HeadName,
  headOfClass,
  modelTypes,
  type PreTrainedModel,
} from "../../models/index.js";
import { getPeftModel, type PeftModel } from "../../peft/index.js";
import { taskOfHead } from "../../tasks/index.js";
import type { Run } from "../definition/run.js";
import { heard, type Notices } from "../notices.js";
import { adapterConfig } from "../training/adapter.js";

/** The object of a model's config.json, from its folder or the file itself. @throws GraftError `file-not-found`, `invalid-json` */
async function rawConfig(path: string): Promise<Readonly<Record<string, unknown>>> {
  if ((await platform.isDirectory(path)) || (await isOfHub(path)))
    return (await resolveFiles(path, "model")).json("config.json", "the model's config");
  const folder = platform.dirname(path);
  const name = platform.basename(path);
  if (name === "config.json") return (await resolveFiles(folder, "model")).json("config.json", "the model's config");
  throw new GraftError("file-not-found", `${path} is neither a model folder nor a config.json`, "Name one of them.");
}

/** The head that a model is trained with: its own, or for a bare model the first that it can have. */
function headFor(raw: Readonly<Record<string, unknown>>): HeadName {
  const { architectures: classes, model_type: type } = raw;
  const own = Array.isArray(classes) ? headOfClass(String(classes[0])) : undefined;
  if (own !== undefined && own !== "base") return own;
  const known = modelTypes.find((name) => name === type);
  const possible = known === undefined ? [] : architectures[known].heads;
  return possible.find((head) => taskOfHead(head) !== undefined) ?? "sequenceClassification";
}

/**
 * A model with a run's adapter, of shapes alone, from its config: nothing else is read.
 * @throws GraftError as `fromConfig` and `getPeftModel`
 */
export async function shapesOf(path: string, run: Run, notices: Pick<Notices, "onWarning"> = {}): Promise<PeftModel> {
  const { onWarning } = heard(notices);
  const raw = await rawConfig(path);
  const head = headFor(raw);
  const labels = run.labels ? { id2label: run.labels } : run.numLabels ? { numLabels: run.numLabels } : {};
  const model = autoClasses[head].fromConfig(raw, { withWeights: false, ...labels }) as PreTrainedModel;
  return getPeftModel(model, adapterConfig(run, taskOfHead(head), onWarning), { withWeights: false, onWarning });
}
