import type { Tensor } from "../graph/index.js";
import type { TensorProto } from "../onnx/index.js";
import type { MountedData } from "../runtime/definition.js";
import { bytesOf } from "../tensor-data.js";

/** Initialisers below this size are written into the model itself. */
const inlineBytes = 1024;

const folderOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf("/"), 0));

function commonFolder(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => folderOf(path).split("/"));
  const end = first.findIndex((part, position) => others.some((other) => other[position] !== part));
  return (end < 0 ? first : first.slice(0, end)).join("/") || "/";
}

/**
 * Decides where a program's initialisers lie: those in files stay there and are referenced by offset (ONNX Runtime
 * maps the file), large ones in memory are mounted (beside files: written into the model), small ones are written into
 * the model.
 */
export class ExternalData {
  readonly folder: string | undefined;
  readonly mounts: MountedData[] = [];

  /**
   * @param files real paths (`/` between parts) of all files that initialisers refer to
   * @param engineAddsFiles whether the engine is to add others, wherever they lie
   */
  constructor(
    files: readonly string[],
    private readonly engineAddsFiles = false,
  ) {
    const [first] = files;
    if (first === undefined) return;
    this.folder = engineAddsFiles ? first.slice(0, first.indexOf("/") + 1) : commonFolder(files);
  }

  /** The initialiser's declaration in the model. */
  readonly write = (tensor: Tensor, name: string): TensorProto => {
    const { origin, dtype, shape } = tensor;
    if (origin.kind !== "initializer") throw new Error(`${name} is no initialiser`);
    const proto = { name, dtype, dims: shape.map(Number) };
    const { source } = origin;
    if (source.kind === "file") {
      const location = source.path.slice((this.folder ?? "").length).replace(/^\//, "");
      return { ...proto, external: { location, offset: source.offset, length: source.byteLength } };
    }
    const bytes = bytesOf(source.data);
    // ONNX Runtime looks for no file on disk once one is mounted, so beside files everything else is written inline.
    if (bytes.byteLength <= inlineBytes || this.folder !== undefined || this.engineAddsFiles)
      return { ...proto, rawData: bytes };
    const path = `memory/${name}`;
    this.mounts.push({ path, data: bytes });
    return { ...proto, external: { location: path, offset: 0, length: bytes.byteLength } };
  };
}
