import type { InferenceSession } from "onnxruntime-common";
import type { Purpose } from "./definition.js";

type SessionOptions = InferenceSession.SessionOptions;

const unpacked = {
  /** Packed copies of the weights would undo the mapping of the weight file and cost every session the model's size. */
  disable_prepacking: "1",
};

const wholeBatches: SessionOptions = {
  graphOptimizationLevel: "disabled",
  enableMemPattern: false,
  enableCpuMemArena: true,
  extra: { session: unpacked },
};

/**
 * Session options by purpose.
 *
 * Memory patterns double the peak and do not suit changing shapes. Graphs arrive lowered to the operators that the
 * backend has kernels for, so ONNX Runtime's rewriting gains no time; it would merge recomputed activations with the
 * first ones and reorder the gradient leaves, whose order bounds the memory of a training step.
 */
export const sessionOptionsByPurpose: { readonly [P in Purpose]: SessionOptions } = {
  training: wholeBatches,
  prediction: wholeBatches,
  // One token at a time: products are narrow, and packed weights make them several times faster.
  generation: {
    graphOptimizationLevel: "basic",
    enableMemPattern: false,
    enableCpuMemArena: true,
    extra: { session: {} },
  },
};

interface SessionPlace {
  /** Whether initialisers may be packed: the kernels of int8 products want that. Default: as the purpose has it. */
  readonly packed?: boolean;
  readonly threads: number;
  readonly providers: readonly string[];
  readonly externalFolder?: string | undefined;
  /** Path of the profile up to the time that ONNX Runtime adds to it; undefined: no profile. */
  readonly profilePrefix?: string | undefined;
}

/**
 * The options of one session: those of its purpose plus where it runs, where its external data lies, and where its
 * profile goes.
 */
export function sessionOptions(purpose: Purpose, place: SessionPlace): SessionOptions {
  const base = sessionOptionsByPurpose[purpose];
  const session = { ...(base.extra as { session: Record<string, string> }).session };
  if (place.packed) session.disable_prepacking = "0";
  if (place.externalFolder !== undefined) {
    session.model_external_initializers_file_folder_path = place.externalFolder;
  }
  return {
    ...base,
    executionProviders: [...place.providers],
    intraOpNumThreads: place.threads,
    interOpNumThreads: 1,
    // 3: errors only. Warnings of the engine are about choices made here on purpose.
    logSeverityLevel: 3,
    ...(place.profilePrefix !== undefined && { enableProfiling: true, profileFilePrefix: place.profilePrefix }),
    extra: { ...base.extra, session },
  };
}
