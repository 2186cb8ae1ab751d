import { createTrainingSession, MeasuredCut, type MicroBatchReport } from "graft-peft";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { relativeL2 } from "../peft/numbers.js";
import { collateTiny, temporaryFolder, tinyPeftModel, tinyTextDataset } from "./tiny.js";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const data = tinyTextDataset(8);
const rows = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((row) => data.get(row, { seed: 0, epoch: 0 })));
const batch = collateTiny(rows);

async function gradientsOf(microBatchSize?: number | "auto" | MeasuredCut) {
  const model = await tinyPeftModel(folder.path, { base: "bert_seqcls", adapter: "bert_default", dropout: 0.3 });
  const session = createTrainingSession(model, { optimizer: "sgd", ...(microBatchSize && { microBatchSize }) });
  const { loss } = await session.forwardBackward(batch);
  const gradients = await session.gradients();
  await model.dispose();
  return { loss, gradients };
}

describe("micro-batches", () => {
  it.each([1, 2, 3, 5, 8, 100])(
    "of %i rows give the whole batch's loss and gradients, dropout included",
    async (size) => {
      const whole = await gradientsOf();
      const cut = await gradientsOf(size);
      expect(Math.abs(cut.loss - whole.loss)).toBeLessThan(1e-6);
      expect(Object.keys(cut.gradients)).toEqual(Object.keys(whole.gradients));
      for (const [name, gradient] of Object.entries(whole.gradients)) {
        expect(relativeL2(cut.gradients[name]!, gradient), name).toBeLessThan(2e-6);
      }
    },
  );

  it("are found on the first batch, which is done in pieces that double", async () => {
    const reports: MicroBatchReport[] = [];
    const cut = new MeasuredCut({ onReport: (report) => void reports.push(report) });
    const whole = await gradientsOf();
    const found = await gradientsOf(cut);
    expect(Math.abs(found.loss - whole.loss)).toBeLessThan(1e-6);
    const sizes: number[] = [];
    const plan = new MeasuredCut({ onReport: (report) => void reports.push(report) });
    const size = { rows: 32, sequence: 10 };
    for (let left = 32, cost = 1; left > 0; cost *= 0.8) {
      const next = plan.next(left, size);
      sizes.push(next);
      left -= next;
      await plan.done(next, size, next * cost);
    }
    expect(sizes).toEqual([2, 2, 4, 8, 16]);
    expect(plan.next(32, size)).toBe(32);
    await plan.done(32, size, 32 * 0.1);
    expect(plan.report).toMatchObject({ rows: 32, sequence: 10 });
    expect(plan.report?.measured.map(({ rows }) => rows)).toEqual([2, 4, 8, 16, 32]);
    // Longer texts are cut into pieces of as many tokens.
    expect(plan.next(32, { rows: 32, sequence: 40 })).toBe(8);
    expect(plan.next(32, { rows: 32, sequence: 1000 })).toBe(1);
  });

  it("stay as few as possible where more bring nothing", async () => {
    const cut = new MeasuredCut();
    const size = { rows: 32, sequence: 1 };
    for (const rows of [2, 2, 4, 8]) {
      expect(cut.next(32, size)).toBe(rows);
      await cut.done(rows, size, rows);
    }
    expect(cut.report).toMatchObject({ rows: 2 });
  });

  it("end where twice as many would pass the memory limit", async () => {
    const cut = new MeasuredCut({ maxBytes: 1 });
    const size = { rows: 32, sequence: 1 };
    for (const rows of [2, 2]) {
      expect(cut.next(32, size)).toBe(rows);
      await cut.done(rows, size, rows);
    }
    expect(cut.report).toMatchObject({ rows: 2, reason: expect.stringContaining("memory limit") });
  });

  it.each([-1, 1.5, Number.NaN])("refuse a size of %d", async (size) => {
    const model = await tinyPeftModel(folder.path, { base: "bert_seqcls", adapter: "bert_default", dropout: 0 });
    expect(() => createTrainingSession(model, { microBatchSize: size })).toThrow(/microBatchSize/);
    await model.dispose();
  });
});
