import { GraftError } from "graft-peft";
import { expect, test } from "vitest";
import { GraftError as InternalGraftError } from "#graft/errors";

test("the package's own name and its internal paths lead to the same built modules", () => {
  expect(GraftError).toBe(InternalGraftError);
  expect(new GraftError("unsupported", "what", "fix")).toMatchObject({
    code: "unsupported",
    message: "what",
    hint: "fix",
  });
});
