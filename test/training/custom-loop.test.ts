import { describe, expect, it } from "vitest";
import { customLoop } from "../../examples/custom-loop.js";

describe("examples/custom-loop.ts", () => {
  it("learns its task", async () => {
    const lines: string[] = [];
    expect(await customLoop((line) => lines.push(line))).toBeGreaterThan(0.8);
    expect(lines[0]).toMatch(/^trainable params: 2,114 \|\| all params: /);
    expect(lines).toHaveLength(8);
  });
});
