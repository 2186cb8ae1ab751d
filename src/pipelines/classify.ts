import { dataLoader } from "../data/index.js";
import { GraftError } from "../errors.js";
import { type Prediction, type TaskName, tasks } from "../tasks/index.js";
import type { AnyModel, Opened } from "./open.js";

type Classifier = Exclude<TaskName, "text-generation">;

/** What a classifying task says of each input, in the order of the inputs. */
export async function predictions(
  name: Classifier,
  { model, processing: folder, from }: Opened,
  examples: readonly unknown[],
  topK: number,
  batchSize = 16,
): Promise<Prediction[]> {
  requireHead(name, model);
  const processing = await tasks[name].processing({ folder, from, network: model.network });
  const dataset = processing.dataset(examples, "evaluate");
  const found: Prediction[] = [];
  for await (const { tensors, indices } of dataLoader({ dataset, batchSize, collate: processing.collate })) {
    const { logits } = await model(tensors);
    if (!logits) throw new Error("a classifier without logits");
    const perRow = logits.data.length / indices.length;
    for (const [row, index] of indices.entries()) {
      const values = logits.data.subarray(row * perRow, (row + 1) * perRow);
      found[index] = processing.predict(values, examples[index], { config: model.config, topK });
    }
  }
  return found;
}

/** A model of the wrong kind says nothing of the task. @throws GraftError `invalid-argument` */
function requireHead(name: Classifier, { network }: AnyModel): void {
  const rank = network.head?.outputs.logits?.shape.length;
  const wanted = name === "token-classification" ? 3 : 2;
  const reads = "pixelValues" in network.inputs ? "pictures" : "texts";
  if (rank === wanted && reads === tasks[name].reads) return;
  throw new GraftError(
    "invalid-argument",
    `a ${network.className} is no model for ${name}`,
    "Load the model with the head of the task, or name its folder.",
  );
}
