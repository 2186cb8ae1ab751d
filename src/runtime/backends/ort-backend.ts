import type { InferenceSession, InferenceSessionFactory, Tensor, TensorConstructor } from "onnxruntime-common";
import { messageOf } from "../../errors.js";
import type { DType, DTypeArrays, TensorData } from "../../tensor-data.js";
import type { BackendName, ProgramDefinition } from "../definition.js";
import { engineError } from "../engine-error.js";
import { sessionOptions } from "../session-options.js";
import type { Backend, Session, Tensors } from "./types.js";

/** What onnxruntime-node and onnxruntime-web have in common. */
export interface OrtModule {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
}

/** An engine's tensor as Graft's. Newer worlds give f16 its own array type; Graft keeps its bits. */
function fromOrt(tensor: Tensor): TensorData {
  const { data } = tensor;
  const view = data as DTypeArrays[DType];
  const bits = tensor.type === "float16" ? new Uint16Array(view.buffer, view.byteOffset, view.length) : view;
  return { dtype: tensor.type as DType, shape: tensor.dims, data: bits as DTypeArrays[DType] };
}

/** A backend over ONNX Runtime's JavaScript interface, the same in Node and in the browser. */
export function ortBackend(name: BackendName, ort: OrtModule, threads: number, providers: readonly string[]): Backend {
  // Tensors that stay (parameters) are wrapped once; the entry goes with the tensor.
  const wrapped = new WeakMap<TensorData, Tensor>();
  const toOrt = (tensor: TensorData): Tensor => {
    let wrapper = wrapped.get(tensor);
    if (wrapper === undefined) {
      // The typed array fits the element type by TensorData's definition, which this constructor cannot express.
      wrapper = new ort.Tensor(tensor.dtype as "float32", tensor.data as Float32Array, tensor.shape);
      wrapped.set(tensor, wrapper);
    }
    return wrapper;
  };

  const wrapSession = (session: InferenceSession): Session => ({
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    run: async (feeds: Tensors, fetches) => {
      const ortFeeds: Record<string, Tensor> = {};
      for (const feed in feeds) ortFeeds[feed] = toOrt(feeds[feed] as TensorData);
      try {
        const results = await session.run(ortFeeds, fetches);
        const outputs: Record<string, TensorData> = {};
        for (const fetch of fetches) outputs[fetch] = fromOrt(results[fetch] as Tensor);
        return outputs;
      } catch (error) {
        throw engineError(`running failed: ${messageOf(error)}`, error);
      }
    },
    release: () => session.release(),
  });

  return {
    name,
    threads,
    createSession: async (definition: ProgramDefinition) => {
      const { externalData, externalFolder, model, purpose } = definition;
      const options = sessionOptions(purpose, { threads, providers, externalFolder });
      if (externalData) options.externalData = externalData.map(({ path, data }) => ({ path, data }));
      try {
        return wrapSession(await ort.InferenceSession.create(model, options));
      } catch (error) {
        throw engineError(`the program could not be compiled on ${name}: ${messageOf(error)}`, error);
      }
    },
  };
}
