import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  AutoModelForCausalLM,
  AutoTokenizer,
  createTrainingSession,
  DataCollatorForLanguageModeling,
  packRows,
  Trainer,
  TrainingArguments,
} from "graft-peft";
import { afterAll, describe, expect, it } from "vitest";

interface Row {
  inputIds: number[];
  labels: number[];
}
const { cases } = JSON.parse(readFileSync("test/golden/training/language.json", "utf8")) as {
  cases: { model: string; rows: Row[]; results: { labelSmoothingFactor: number; loss: number; gradNorm: number }[] }[];
};

const folder = mkdtempSync(join(tmpdir(), "graft-language-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const tokenizer = await AutoTokenizer.fromPretrained("test/golden/data/chat/bytes");
const collate = DataCollatorForLanguageModeling(tokenizer);

/** A golden model with every dropout at 0; all of its weights are trained. */
async function modelOf(name: string) {
  const source = resolve("test/golden/models", name);
  const target = join(folder, name);
  mkdirSync(target, { recursive: true });
  const config = JSON.parse(readFileSync(join(source, "config.json"), "utf8"));
  writeFileSync(
    join(target, "config.json"),
    JSON.stringify({ ...config, attn_pdrop: 0, embd_pdrop: 0, resid_pdrop: 0 }),
  );
  try {
    symlinkSync(join(source, "model.safetensors"), join(target, "model.safetensors"));
  } catch {}
  return AutoModelForCausalLM.fromPretrained(target);
}

const rowsOf = (rows: readonly Row[]) =>
  rows.map(({ inputIds, labels }) => ({ inputIds: Int32Array.from(inputIds), labels: Int32Array.from(labels) }));

async function lossAndNorm(name: string, batch: ReturnType<typeof collate>, labelSmoothingFactor = 0) {
  const model = await modelOf(name);
  const session = createTrainingSession(model, { optimizer: "sgd", labelSmoothingFactor });
  const { loss } = await session.forwardBackward(batch);
  const { gradNorm } = await session.optimizerStep({ learningRate: 0 });
  await model.dispose();
  return { loss, gradNorm };
}

describe.each(cases)("$model", ({ model, rows, results }) => {
  it.each(results)(
    "loss and gradients are transformers' at label smoothing $labelSmoothingFactor",
    async (expected) => {
      const batch = collate(rowsOf(rows));
      const { loss, gradNorm } = await lossAndNorm(model, batch, expected.labelSmoothingFactor);
      expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-5);
      expect(Math.abs(gradNorm - expected.gradNorm)).toBeLessThan(1e-4 * expected.gradNorm);
    },
  );

  it("packed rows have the loss and the gradients of the same rows apart", async () => {
    const packed = packRows(rowsOf(rows), 32);
    expect(packed).toHaveLength(1);
    const { loss, gradNorm } = await lossAndNorm(model, collate(packed));
    expect(Math.abs(loss - results[0]!.loss)).toBeLessThan(1e-5);
    expect(Math.abs(gradNorm - results[0]!.gradNorm)).toBeLessThan(1e-4 * gradNorm);
    // What would be learnt with cross-talk is something else.
    const { segmentIds: _, ...seen } = collate(packed);
    expect(Math.abs((await lossAndNorm(model, seen)).loss - results[0]!.loss)).toBeGreaterThan(1e-4);
  });

  it("calls with labels give all logits, and the loss of training", async () => {
    const one = await modelOf(model);
    const batch = collate(rowsOf(rows));
    const { logits, loss } = await one(batch);
    expect(logits.shape).toEqual([3, 11, (one.config as unknown as { vocabSize: number }).vocabSize]);
    expect(Math.abs(loss! - results[0]!.loss)).toBeLessThan(1e-5);
    await one.dispose();
  });

  it("the Trainer's evaluation counts tokens, whatever the batches", async () => {
    const one = await modelOf(model);
    const evaluate = async (perDeviceEvalBatchSize: number) => {
      const trainer = new Trainer({
        model: one,
        args: new TrainingArguments({ outputDir: folder, perDeviceEvalBatchSize, reportTo: "none" }),
        processingClass: tokenizer,
        computeMetrics: ({ predictions, labelIds, loss }) => ({
          tokens: predictions.data.length,
          perplexity: Math.exp(loss!),
          right: predictions.data.filter((id, index) => id === labelIds!.data[index]).length,
        }),
      });
      return trainer.evaluate(rowsOf(rows));
    };
    const [whole, single] = [await evaluate(3), await evaluate(1)];
    const count = rows.reduce((sum, { labels }) => sum + labels.slice(1).filter((label) => label !== -100).length, 0);
    expect(whole.eval_tokens).toBe(count);
    expect(single.eval_right).toBe(whole.eval_right);
    expect(Math.abs(whole.eval_loss! - results[0]!.loss)).toBeLessThan(1e-5);
    expect(Math.abs(single.eval_loss! - whole.eval_loss!)).toBeLessThan(1e-5);
    expect(whole.eval_perplexity).toBeCloseTo(Math.exp(whole.eval_loss!), 6);
    await one.dispose();
  });
});
