/** What a classifier's labels are, as config.json's `problem_type` says: a number, one class, or several. */
export const problemTypes = ["regression", "single_label_classification", "multi_label_classification"] as const;
export type ProblemType = (typeof problemTypes)[number];

/** The class id of a place that counts nowhere: not in the loss, not in metrics. PyTorch's `ignore_index`. */
export const ignoredLabel = -100;
