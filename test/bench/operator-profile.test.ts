import { describe, expect, it } from "vitest";
import { operatorProfile, type TraceEvent } from "../../bench/operator-profile.js";

const run = (ts: number, dur: number): TraceEvent => ({ cat: "Session", name: "model_run", ts, dur });
const kernel = (operator: string, ts: number, dur: number): TraceEvent => ({
  cat: "Node",
  name: `${operator}_7_kernel_time`,
  ts,
  dur,
  args: { op_name: operator },
});

/** A slow first run and two measured ones, in the order in which ONNX Runtime writes them: a run after its kernels. */
const trace: TraceEvent[] = [
  { cat: "Session", name: "session_initialization", ts: 0, dur: 900 },
  kernel("FusedMatMul", 1010, 8000),
  kernel("Cos", 9010, 500),
  run(1000, 9000),
  kernel("MatMulIntegerToFloat", 20_010, 3000),
  kernel("FusedMatMul", 23_010, 1000),
  kernel("Mul", 24_010, 500),
  kernel("Mul", 24_510, 500),
  { cat: "Session", name: "SequentialExecutor::Execute", ts: 20_005, dur: 5400 },
  run(20_000, 5500),
  kernel("MatMulIntegerToFloat", 30_010, 3000),
  kernel("Gemm", 33_010, 1000),
  kernel("Mul", 34_010, 500),
  kernel("QuantizeLinear", 34_510, 500),
  run(30_000, 6500),
];

describe("operatorProfile", () => {
  it("takes means over the last runs, by operator", () => {
    const { runMs, kernelMs, operators } = operatorProfile(trace, 2);
    expect(runMs).toBe(6);
    expect(kernelMs).toBe(5);
    expect(operators).toEqual([
      { operator: "MatMulIntegerToFloat", group: "int8Products", calls: 1, ms: 3, share: 0.6 },
      { operator: "Mul", group: "other", calls: 1.5, ms: 0.75, share: 0.15 },
      { operator: "FusedMatMul", group: "float32Products", calls: 0.5, ms: 0.5, share: 0.1 },
      { operator: "Gemm", group: "float32Products", calls: 0.5, ms: 0.5, share: 0.1 },
      { operator: "QuantizeLinear", group: "other", calls: 0.5, ms: 0.25, share: 0.05 },
    ]);
  });

  it("adds up products and the rest", () => {
    expect(operatorProfile(trace, 2).groups).toEqual({
      int8Products: { calls: 1, ms: 3, share: 0.6 },
      float32Products: { calls: 1, ms: 1, share: 0.2 },
      other: { calls: 2, ms: 1, share: 0.2 },
    });
    expect(operatorProfile(trace.slice(0, 4), 1).groups).toMatchObject({
      int8Products: { calls: 0, ms: 0, share: 0 },
      float32Products: { ms: 8 },
    });
  });

  it("refuses a trace of fewer runs", () => {
    expect(() => operatorProfile(trace, 4)).toThrow("holds 3 runs, 4 were expected");
  });
});
