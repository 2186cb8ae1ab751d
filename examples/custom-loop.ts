/**
 * A training loop of one's own: forwardBackward gives the loss and gradients, optimizerStep applies them. The Trainer is
 * built on the same two calls. What is between them is yours: the schedule, the logging, when to stop.
 *
 * The model is a tiny BERT with random weights, so nothing is downloaded; only its LoRA matrices and its classifier are
 * trained. The task: which of two kinds of tokens is more frequent in a sequence?
 */
import { pathToFileURL } from "node:url";
import { AutoModelForSequenceClassification, createTrainingSession, getPeftModel, LoraConfig } from "graft-peft";

const SEQUENCE = 9;
const BATCH = 16;
const STEPS = 60;
const LEARNING_RATE = 1e-2;

/** Random rows of tokens 10 ("a") and 11 ("b"); the label says whether "b" is more frequent. */
function makeBatch(random: () => number) {
  const inputIds = Array.from({ length: BATCH }, () =>
    Array.from({ length: SEQUENCE }, () => (random() < 0.5 ? 10 : 11)),
  );
  const labels = inputIds.map((ids) => Number(ids.filter((id) => id === 11).length > SEQUENCE / 2));
  return { inputIds, labels };
}

/** A small generator with a seed (mulberry32), so that the example prints the same each time. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

/** @returns the share of right answers on rows that were not trained on */
export async function customLoop(log: (line: string) => void): Promise<number> {
  const model = AutoModelForSequenceClassification.fromConfig({
    model_type: "bert",
    vocab_size: 16,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 64,
    max_position_embeddings: 16,
    initializer_range: 0.2,
    num_labels: 2,
  });
  const peftModel = getPeftModel(
    model,
    new LoraConfig({ taskType: "SEQ_CLS", r: 8, loraAlpha: 16, targetModules: ["query", "value"] }),
  );
  log(peftModel.trainableParametersLine());

  const session = createTrainingSession(peftModel, { optimizer: "adamw", weightDecay: 0.01, seed: 1 });
  const random = seededRandom(1);
  for (let step = 0; step < STEPS; step++) {
    // Call it several times, each with its share as `weight`, to accumulate gradients.
    const { loss } = await session.forwardBackward(makeBatch(random));
    const learningRate = LEARNING_RATE * (1 - step / STEPS);
    const { gradNorm } = await session.optimizerStep({ learningRate, maxGradNorm: 1 });
    if (step % 10 === 9) log(`step ${step + 1}: loss ${loss.toFixed(3)}, gradient norm ${gradNorm.toFixed(2)}`);
  }

  // Predictions read the trained weights where they are, in the model's worker.
  const { inputIds, labels } = makeBatch(seededRandom(2));
  const { logits } = await peftModel({ inputIds });
  const right = labels.filter((label, row) => Number(logits.data[2 * row + 1]! > logits.data[2 * row]!) === label);
  log(`right on new rows: ${right.length} of ${BATCH}`);

  // session.sync() copies trained weights into the model; savePretrained does it by itself:
  //   await peftModel.savePretrained("my-adapter");
  await peftModel.dispose();
  return right.length / BATCH;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await customLoop(console.log);
