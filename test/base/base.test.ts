import { describe, expect, it } from "vitest";
import * as z from "zod";
import { camelCase, snakeCase } from "#graft/case";
import { checked } from "#graft/checked";
import { nearest } from "#graft/nearest";
import { later, Turn } from "#graft/turn";

describe("Turn", () => {
  it("begins an action when those before it have ended, well or not", async () => {
    const turn = new Turn();
    const told: string[] = [];
    let finish = () => {};
    const first = turn.take(async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      told.push("first");
    });
    const second = turn.take(async () => {
      told.push("second");
      throw new Error("second fails");
    });
    const third = turn.take(() => told.push("third"));
    await Promise.resolve();
    expect(told).toEqual([]);
    finish();
    await expect(second).rejects.toThrow("second fails");
    expect(await third).toBe(3);
    await first;
    await turn.ended();
    expect(told).toEqual(["first", "second", "third"]);
  });
});

describe("later", () => {
  it("keeps a failure for whoever awaits it", async () => {
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", listen);
    const promise = later(Promise.reject(new Error("not yet")));
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("unhandledRejection", listen);
    expect(unhandled).toEqual([]);
    await expect(promise).rejects.toThrow("not yet");
  });
});

describe("checked", () => {
  const schema = z.object({ r: z.int(), names: z.array(z.string()) });

  it("gives what the schema makes of a value", () => {
    expect(checked(z.coerce.number(), "3", "it", "hint")).toBe(3);
  });

  it("names every fault with its place, and the option", () => {
    const check = () => checked(schema, { r: 0.5, names: ["a", 1] }, "x.json", "Mend it.", { option: "r" });
    expect(check).toThrow(/^x\.json: r: .*; names\.1: /);
    expect(check).toThrow(expect.objectContaining({ code: "invalid-config", hint: "Mend it.", option: "r" }));
  });
});

describe("names", () => {
  it("are spelled as in files and as in the library", () => {
    expect(snakeCase("perDeviceTrainBatchSize")).toBe("per_device_train_batch_size");
    expect(camelCase("adam_beta1")).toBe("adamBeta1");
    // A digit has no case: without the underscore the way back would be lost.
    expect(camelCase("beta_2x")).toBe("beta_2x");
  });

  it("that are near come first, whatever their case", () => {
    expect(nearest("Qery", ["value", "query", "key", "query"], 2)).toEqual(["query", "key"]);
  });
});
