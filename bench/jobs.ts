/** The four jobs of the step benchmark: the same as in reference/bench_jobs.py. */
export const stepJobNames = ["vit-base", "bert-base", "vit-tiny", "minilm"] as const;
export type StepJobName = (typeof stepJobNames)[number];

export interface StepJob {
  readonly kind: "image" | "text";
  readonly labels: number;
  readonly batch: number;
  /** Rank and alpha of LoRA on the query and value projections of every layer. */
  readonly rank: number;
  readonly alpha: number;
  /** Folder of the weights under the assets; without it reference/make_bench_model.py writes random ones. */
  readonly asset?: string;
}

export const stepJobs: { readonly [K in StepJobName]: StepJob } = {
  "vit-base": { kind: "image", labels: 101, batch: 8, rank: 16, alpha: 16 },
  "bert-base": { kind: "text", labels: 2, batch: 8, rank: 8, alpha: 16 },
  "vit-tiny": { kind: "image", labels: 10, batch: 16, rank: 16, alpha: 16, asset: "models/vit-tiny-tinyimagenet" },
  minilm: { kind: "text", labels: 2, batch: 32, rank: 8, alpha: 16, asset: "models/all-MiniLM-L6-v2" },
};

/** Sequence length of the text jobs. */
export const sequenceLength: { readonly [K in StepJobName]?: number } = { "bert-base": 128, minilm: 32 };

/** Updates before the measured ones: the first one compiles, and the engine's memory grows. */
export const WARM_UP = 2;
export const LEARNING_RATE = 1e-3;
export const MAX_GRAD_NORM = 1;
