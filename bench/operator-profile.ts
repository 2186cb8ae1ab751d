/** One event of the trace that ONNX Runtime's profiler writes; times in microseconds. */
export interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

/** What kernels do: multiply matrices, in one of two precisions, or anything else. */
export type KernelGroup = "int8Products" | "float32Products" | "other";

/** Of one step: how often kernels ran and for how long, and their share of the time of all kernels. */
export interface KernelTime {
  readonly calls: number;
  readonly ms: number;
  readonly share: number;
}

export interface OperatorProfile {
  /** Profiled steps that the means are taken over. */
  readonly steps: number;
  /** Milliseconds of a step inside ONNX Runtime's run, and those of them inside kernels. */
  readonly runMs: number;
  readonly kernelMs: number;
  /** By operator, the slowest first. */
  readonly operators: readonly (KernelTime & { readonly operator: string; readonly group: KernelGroup })[];
  readonly groups: { readonly [G in KernelGroup]: KernelTime };
}

/** Graft's own products, and those into which ONNX Runtime may fuse them. Everything else is no product. */
const products: ReadonlyMap<string, KernelGroup> = new Map([
  ...["MatMul", "FusedMatMul", "Gemm", "FusedGemm", "Conv", "FusedConv"].map(
    (name) => [name, "float32Products"] as const,
  ),
  ...["MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QLinearMatMul", "QGemm"].map(
    (name) => [name, "int8Products"] as const,
  ),
]);

interface Total {
  calls: number;
  microseconds: number;
}

function add(totals: Map<string, Total>, key: string, microseconds: number): void {
  const total = totals.get(key) ?? { calls: 0, microseconds: 0 };
  totals.set(key, { calls: total.calls + 1, microseconds: total.microseconds + microseconds });
}

/**
 * Kernel time by operator, as means over the last `steps` runs of a session.
 * @throws Error for a trace of fewer runs
 */
export function operatorProfile(trace: readonly TraceEvent[], steps: number): OperatorProfile {
  const runs = trace.filter(({ cat, name }) => cat === "Session" && name === "model_run").sort((a, b) => a.ts - b.ts);
  const measured = runs.slice(-steps);
  if (measured.length < steps) throw new Error(`the profile holds ${runs.length} runs, ${steps} were expected`);
  const begin = measured[0]!.ts;
  const byOperator = new Map<string, Total>();
  const byGroup = new Map<string, Total>();
  let microseconds = 0;
  for (const { cat, name, ts, dur, args } of trace) {
    if (cat !== "Node" || !name.endsWith("_kernel_time") || ts < begin) continue;
    const operator = args?.op_name ?? "unnamed";
    add(byOperator, operator, dur);
    add(byGroup, products.get(operator) ?? "other", dur);
    microseconds += dur;
  }
  const time = (total: Total = { calls: 0, microseconds: 0 }): KernelTime => ({
    calls: total.calls / steps,
    ms: total.microseconds / 1000 / steps,
    share: microseconds === 0 ? 0 : total.microseconds / microseconds,
  });
  const operators = [...byOperator].map(([operator, total]) => ({
    operator,
    group: products.get(operator) ?? ("other" as const),
    ...time(total),
  }));
  return {
    steps,
    runMs: measured.reduce((total, { dur }) => total + dur, 0) / 1000 / steps,
    kernelMs: microseconds / 1000 / steps,
    operators: operators.sort((a, b) => b.ms - a.ms),
    groups: {
      int8Products: time(byGroup.get("int8Products")),
      float32Products: time(byGroup.get("float32Products")),
      other: time(byGroup.get("other")),
    },
  };
}
