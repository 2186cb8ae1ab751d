// What packing gains: learnt tokens a second of llama-stories260K on Alpaca's instructions and answers, rows apart and packed.
import { join } from "node:path";
import {
  AutoModelForCausalLM,
  AutoTokenizer,
  createTrainingSession,
  DataCollatorForLanguageModeling,
  getPeftModel,
  type LanguageRow,
  LoraConfig,
  languageDataset,
  packRows,
  readLanguageDataset,
} from "graft-peft";
import { assetsFolder } from "./folders.js";

const LONGEST = 512;
const BATCH = 8;
const sides = ["apart", "packed"] as const;
type Side = (typeof sides)[number];

export interface PackingReport {
  /** Tokens a second, padding not counted, by round. */
  readonly tokensPerSecond: { readonly [S in Side]: readonly number[] };
  /** Share of a batch that is no padding. */
  readonly full: { readonly [S in Side]: number };
}

function order<T>(rows: readonly T[]): T[] {
  // The same for both sides, and of no order of length.
  return rows
    .map((row, index) => ({ row, key: (index * 7919) % 1009 }))
    .sort((a, b) => a.key - b.key)
    .map(({ row }) => row);
}

export async function packing({
  rounds,
  threads,
}: {
  readonly rounds: number;
  readonly threads: number;
}): Promise<PackingReport> {
  const folder = join(assetsFolder(), "models/llama-stories260K");
  const data = await readLanguageDataset(join(assetsFolder(), "datasets/instruction/alpaca_en_demo.json"), {
    end: 300,
    textColumn: ["instruction", "output"],
  });
  const tokenizer = await AutoTokenizer.fromPretrained(folder);
  const collate = DataCollatorForLanguageModeling(tokenizer);
  const short = languageDataset(data.examples, tokenizer, { maxLength: LONGEST, tooLong: "skip" });
  const batchesOf = (side: Side): LanguageRow[][] => {
    const rows = order(side === "packed" ? packRows(short.rows, LONGEST) : short.rows);
    return Array.from({ length: Math.floor(rows.length / BATCH) }, (_, i) => rows.slice(i * BATCH, (i + 1) * BATCH));
  };
  const batches = { apart: batchesOf("apart"), packed: batchesOf("packed") };
  const base = await AutoModelForCausalLM.fromPretrained(folder, { threads });
  const model = getPeftModel(base, new LoraConfig({ r: 8, targetModules: ["q_proj", "v_proj"] }));
  const session = createTrainingSession(model);
  const count = (rows: readonly LanguageRow[]) => rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  const speed = async (side: Side): Promise<number> => {
    const start = performance.now();
    for (const rows of batches[side]) {
      await session.forwardBackward(collate(rows));
      await session.optimizerStep({ learningRate: 1e-3 });
    }
    return (batches[side].reduce((sum, rows) => sum + count(rows), 0) * 1000) / (performance.now() - start);
  };
  const full = (side: Side): number => {
    const padded = batches[side].reduce((sum, rows) => sum + (collate(rows).inputIds?.data.length ?? 0), 0);
    return batches[side].reduce((sum, rows) => sum + count(rows), 0) / padded;
  };
  // The first batches make the programs.
  await session.forwardBackward(collate(batches.apart[0]!));
  await session.forwardBackward(collate(batches.packed[0]!));
  const tokensPerSecond = { apart: [] as number[], packed: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) tokensPerSecond[side].push(await speed(side));
  }
  await model.dispose();
  return { tokensPerSecond, full: { apart: full("apart"), packed: full("packed") } };
}

export function packingText({ tokensPerSecond, full }: PackingReport): string {
  const best = (side: Side) => Math.max(...tokensPerSecond[side]);
  const line = (side: Side) =>
    `${side.padEnd(7)} ${best(side).toFixed(0)} tokens/s at best of ${tokensPerSecond[side].length} rounds, batches ${(100 * full[side]).toFixed(0)} % full`;
  return `${line("apart")}\n${line("packed")}\npacked / apart: ${(best("packed") / best("apart")).toFixed(2)}`;
}
