import type { ProblemType } from "../problem-type.js";
import type { TaskMetrics } from "./task.js";

/** Metrics of classifiers of texts and pictures, by what their labels are. */
export const metricsOfLabels: { readonly [P in ProblemType]: TaskMetrics } = {
  single_label_classification: { choices: ["accuracy", "f1", "matthews_correlation"], usual: "accuracy" },
  regression: { choices: ["pearson"], usual: "pearson" },
  multi_label_classification: { choices: ["multi_label"], usual: "multi_label" },
};
