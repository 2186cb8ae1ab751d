import { GraftError } from "../../errors.js";
import type { ProblemType } from "../../problem-type.js";
import { type TaskName, tasks } from "../../tasks/index.js";

/**
 * What a model's labels are must be something that the data of its task can hold.
 * @throws GraftError `unsupported`
 */
export function requireProblemType(task: TaskName, given: ProblemType): void {
  const { problemTypes, reads } = tasks[task];
  if (problemTypes.includes(given)) return;
  throw new GraftError(
    "unsupported",
    `the model's problem type is ${given}, and the data of ${task} holds one class for each of its ${task === "token-classification" ? "words" : reads}`,
    'Set problemType to "single_label_classification" to see how well the likeliest class fits; predict shows all of them.',
    { option: "problemType" },
  );
}
