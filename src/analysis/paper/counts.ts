import type { PreTrainedModel } from "../../models/index.js";
import { getPeftModel } from "../../peft/index.js";
import { paperCells } from "./cells.js";
import { attentionApart, paperModel, type ShapeName, sizesOf } from "./shapes.js";

/** A cell of the paper beside what a built model says. */
export interface CountedCell {
  readonly table: number;
  readonly model: string;
  readonly method: string;
  readonly settings: string;
  readonly paper: string;
  /** Of the built model. */
  readonly count: number;
  /** The count by the paper's section 5.1; null where it gives no formula. */
  readonly formula: { readonly text: string; readonly count: number } | null;
  /** Whether the cell is our count, rounded to the cell's digits. */
  readonly agrees: boolean;
  readonly reason: string | null;
}

/** Whether a cell ("0.3M", "175,255.8M") is a count rounded to the digits that it has. */
export function saysTheSame(cell: string, count: number): boolean {
  const digits = cell.replace(/[,M]/g, "");
  const decimals = digits.split(".")[1]?.length ?? 0;
  return (count / 1e6).toFixed(decimals) === digits;
}

/** Builds every model of the paper without weights and counts what each method trains. */
export async function countPaper(): Promise<CountedCell[]> {
  const built = new Map<string, PreTrainedModel>();
  const modelFor = (name: ShapeName, isApart: boolean): PreTrainedModel => {
    const key = `${name}:${isApart}`;
    const model =
      built.get(key) ?? (isApart ? attentionApart(name as "GPT-2 M" | "GPT-2 L" | "GPT-3") : paperModel(name));
    built.set(key, model);
    return model;
  };
  const cells: CountedCell[] = [];
  for (const cell of paperCells) {
    const { table, model: name, method, paper } = cell;
    const isApart = method.needsAttentionApart === true && name.startsWith("GPT");
    const model = modelFor(name, isApart);
    const peft = getPeftModel(model, method.config, { withWeights: false, onWarning: () => {} });
    const [count] = peft.getNbTrainableParameters();
    await peft.unload();
    cells.push({
      table,
      model: name,
      method: method.name,
      settings: method.settings,
      paper,
      count,
      formula: method.formula?.(sizesOf(name)) ?? null,
      agrees: saysTheSame(paper, count),
      reason: cell.reason ?? null,
    });
  }
  return cells;
}
