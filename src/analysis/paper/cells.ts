import {
  adapterDrop,
  bitFit,
  ft,
  ftTop2,
  houlsby,
  lin,
  lora,
  type PaperMethod,
  pfeiffer,
  preEmbed,
  preLayer,
} from "./methods.js";
import type { ShapeName } from "./shapes.js";

/** A cell "# Trainable Parameters" of the paper, as it is printed. */
export interface PaperCell {
  readonly table: 2 | 3 | 4 | 5 | 15;
  readonly model: ShapeName;
  readonly method: PaperMethod;
  readonly paper: string;
  /** Why the count is not what the cell says, or what is uncertain about its settings. */
  readonly reason?: string;
}

const nominal = "the model's nominal size";
const prefixLabel =
  "the cell says 0.1 % of FT, as the prefix-tuning line that it is compared with; the paper's formula gives our count";
const weightsOnly = (count: string) =>
  `weights without biases, counted in units of 2^20: ${count}; with biases it is our count`;
const prefixMore =
  "no lp + li gives the printed number by the paper's own formula; all its PreLayer cells are larger than L d (lp + li)";

const table2: readonly Omit<PaperCell, "table">[] = [
  { model: "RoBERTa base", method: ft, paper: "125.0M", reason: nominal },
  {
    model: "RoBERTa base",
    method: bitFit,
    paper: "0.1M",
    reason: "771 of them are biases of the classifier, which the formula leaves out",
  },
  {
    model: "RoBERTa base",
    method: adapterDrop(16, 0),
    paper: "0.3M",
    reason: "quoted from AdapterDrop, settings not stated: r=16 in 12 layers or r=48 in 4 give 0.3M",
  },
  {
    model: "RoBERTa base",
    method: adapterDrop(48, 8),
    paper: "0.3M",
    reason: "the other reading of the same cell",
  },
  { model: "RoBERTa base", method: adapterDrop(48, 0), paper: "0.9M" },
  { model: "RoBERTa base", method: lora("qv", 8), paper: "0.3M" },
  { model: "RoBERTa large", method: ft, paper: "355.0M", reason: nominal },
  { model: "RoBERTa large", method: lora("qv", 8), paper: "0.8M" },
  { model: "RoBERTa large", method: pfeiffer(64), paper: "3.0M", reason: weightsOnly("3,145,728 = 3.0 x 2^20") },
  { model: "RoBERTa large", method: pfeiffer(16), paper: "0.8M" },
  { model: "RoBERTa large", method: houlsby(64), paper: "6.0M", reason: weightsOnly("6,291,456 = 6.0 x 2^20") },
  { model: "RoBERTa large", method: houlsby(8), paper: "0.8M" },
  { model: "DeBERTa XXL", method: ft, paper: "1500.0M", reason: nominal },
  {
    model: "DeBERTa XXL",
    method: lora("qv", 16, "deberta"),
    paper: "4.7M",
    reason: "the paper's appendix says r=8 (2,359,296); its scripts and this cell have r=16",
  },
];

const table3: readonly Omit<PaperCell, "table">[] = [
  { model: "GPT-2 M", method: ft, paper: "354.92M", reason: "probably a slip for 354.82M" },
  { model: "GPT-2 M", method: lin(6), paper: "0.37M" },
  { model: "GPT-2 M", method: lin(224), paper: "11.09M" },
  {
    model: "GPT-2 M",
    method: houlsby(112),
    paper: "11.09M",
    reason: "no whole r gives 11.09M: r=112 comes nearest; 11.09M is AdapterL's count",
  },
  { model: "GPT-2 M", method: ftTop2, paper: "25.19M" },
  {
    model: "GPT-2 M",
    method: preLayer(8, 6),
    paper: "0.35M",
    reason: "quoted from prefix-tuning as 0.1 % of FT; lp + li = 14 comes nearest",
  },
  { model: "GPT-2 M", method: lora("qv", 4), paper: "0.35M", reason: prefixLabel },
  { model: "GPT-2 L", method: ft, paper: "774.03M" },
  { model: "GPT-2 L", method: lin(8), paper: "0.88M" },
  { model: "GPT-2 L", method: lin(248), paper: "23.00M" },
  {
    model: "GPT-2 L",
    method: preLayer(9, 8),
    paper: "0.77M",
    reason: "quoted from prefix-tuning as 0.1 % of FT; lp + li = 17 comes nearest",
  },
  { model: "GPT-2 L", method: lora("qv", 4), paper: "0.77M", reason: prefixLabel },
];

const table4: readonly Omit<PaperCell, "table">[] = [
  {
    model: "GPT-3",
    method: ft,
    paper: "175,255.8M",
    reason: "GPT-2's block at GPT-3's published shape, with tied embeddings; what the 0.65e9 more are is not published",
  },
  {
    model: "GPT-3",
    method: bitFit,
    paper: "14.2M",
    reason: "GPT-2's block has 11 d biases a layer, which is 13.0M; 12 d would be 14.2M",
  },
  { model: "GPT-3", method: preEmbed(256, 8), paper: "3.2M" },
  { model: "GPT-3", method: preLayer(8, 8), paper: "20.2M", reason: prefixMore },
  { model: "GPT-3", method: houlsby(1), paper: "7.1M" },
  { model: "GPT-3", method: houlsby(8), paper: "40.1M" },
  { model: "GPT-3", method: lora("v", 2), paper: "4.7M" },
  { model: "GPT-3", method: lora("qkvo", 4), paper: "37.7M" },
];

const eighteen = "18 x 2^20 (and 36 x 2^20 bytes in float16: the paper's 35 MB)";
const table5: readonly Omit<PaperCell, "table">[] = [
  lora("q", 8),
  lora("k", 8),
  lora("v", 8),
  lora("o", 8),
  lora("qk", 4),
  lora("qv", 4),
  lora("qkvo", 2),
].map((method) => ({ model: "GPT-3", method, paper: "18M", reason: eighteen }));

const table15: readonly Omit<PaperCell, "table">[] = [
  {
    model: "GPT-3",
    method: preEmbed(32, 8),
    paper: "0.4M",
    reason: "the paper's own formula gives our count, which rounds to 0.5M",
  },
  { model: "GPT-3", method: preLayer(2, 2), paper: "5.1M", reason: prefixMore },
  { model: "GPT-3", method: preLayer(8, 0), paper: "10.1M", reason: prefixMore },
  { model: "GPT-3", method: preLayer(64, 0), paper: "76.1M", reason: prefixMore },
  { model: "GPT-3", method: houlsby(4), paper: "21.2M" },
  { model: "GPT-3", method: houlsby(16), paper: "77.9M" },
  { model: "GPT-3", method: houlsby(64), paper: "304.4M" },
  {
    model: "GPT-3",
    method: lora("qkvo", 64),
    paper: "603.8M",
    reason: "301.9M, which is cut and not rounded, doubled",
  },
];

const inTable = (table: PaperCell["table"], cells: readonly Omit<PaperCell, "table">[]): PaperCell[] =>
  cells.map((cell) => ({ table, ...cell }));

/** The cells of tables 2 to 5, and those of table 15 that say more about how the paper counts. */
export const paperCells: readonly PaperCell[] = [
  ...inTable(2, table2),
  ...inTable(3, table3),
  ...inTable(4, table4),
  ...inTable(5, table5),
  ...inTable(15, table15),
];
