import type { InferenceSession, InferenceSessionFactory, Tensor, TensorConstructor } from "onnxruntime-common";
import { platform } from "#platform";
import { GraftError, messageOf } from "../../errors.js";
import type { DType, DTypeArrays, TensorData } from "../../tensor-data.js";
import type { BackendName, ProgramDefinition, Purpose } from "../definition.js";
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

/** Where a backend's sessions run. */
interface Place {
  readonly threads: number;
  readonly providers: readonly string[];
  readonly profileFolder?: string | undefined;
}

/** Whether the file is there that a profiled session begins with: ONNX Runtime says nothing when it cannot make it. */
async function hasBegun(prefix: string): Promise<boolean> {
  const files = await platform.listDirectory(platform.dirname(prefix));
  return files.some(({ name }) => name.startsWith(`${platform.basename(prefix)}_`));
}

/** A backend over ONNX Runtime's JavaScript interface, the same in Node and in the browser. */
export function ortBackend(name: BackendName, ort: OrtModule, place: Place): Backend {
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

  const wrapSession = (session: InferenceSession, isProfiled: boolean): Session => ({
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
    release: () => {
      if (isProfiled) session.endProfiling();
      return session.release();
    },
  });

  let profiles = 0;
  const profilePrefix = (purpose: Purpose): string | undefined =>
    place.profileFolder === undefined ? undefined : platform.join(place.profileFolder, `${purpose}-${++profiles}`);

  return {
    name,
    threads: place.threads,
    createSession: async (definition: ProgramDefinition) => {
      let session: InferenceSession;
      const { externalData, externalFolder, model, purpose, quantizedData } = definition;
      const profile = profilePrefix(purpose);
      const packed = quantizedData !== undefined;
      const options = sessionOptions(purpose, { ...place, packed, externalFolder, profilePrefix: profile });
      if (externalData) options.externalData = externalData.map(({ path, data }) => ({ path, data }));
      try {
        session = await ort.InferenceSession.create(model, options);
      } catch (error) {
        throw engineError(`the program could not be compiled on ${name}: ${messageOf(error)}`, error);
      }
      if (profile !== undefined && !(await hasBegun(profile))) {
        await session.release();
        throw new GraftError(
          "file-access",
          `no profile can be written to ${place.profileFolder}`,
          "Name a folder in which files can be made as profileFolder.",
        );
      }
      return wrapSession(session, profile !== undefined);
    },
  };
}
