import { GraftError } from "../../../errors.js";
import {
  add,
  cast,
  type Dim,
  equal,
  gather,
  initializer,
  matMul,
  mul,
  reduceSum,
  reshape,
  stopGradient,
  sub,
  type Tensor,
} from "../../../graph/index.js";
import { arange, Embedding, Linear, type Module, type Parameter, type Trace } from "../../../nn/index.js";
import type { NamedModule } from "../../matching/named-module.js";
import type { Acting, Host, MergeStep } from "../../tuner.js";
import { TunerEmbedding, TunerLayer } from "../../tuner-layer.js";
import type { LoraConfig } from "./config.js";

/** What models call the table that reads their token ids. */
const inputEmbeddings = ["word_embeddings", "embed_tokens", "wte"];

/** An embedding table of which some rows are trained (PEFT's trainable tokens): the others stay what they are. */
export class TrainableTokens extends TunerEmbedding {
  /** The rows themselves, whatever PEFT's name says: [count, embeddingDim]. */
  private readonly rows: Parameter;

  constructor(
    base: Module,
    host: Host,
    private readonly table: Embedding,
    private readonly indices: readonly number[],
  ) {
    super(base, host.acting);
    const { path, weight, embeddingDim } = table;
    this.rows = host.parameter(`${path}.token_adapter.trainable_tokens_delta`, [indices.length, embeddingDim], {
      made: (trace) => gather(trace.parameter(weight), this.constant("indices", indices, "int32")),
      madeFrom: [weight],
    });
  }

  signature(): string {
    return `tokens:${this.indices}`;
  }

  protected adapted(trace: Trace, ids: Tensor): Tensor {
    return this.replaced(trace, ids, this.base.forward(trace, ids));
  }

  protected adaptedFirstRows(trace: Trace, count: Dim): Tensor {
    const result = this.base.firstRows(trace, count);
    return this.replaced(
      trace,
      this.scoped(() => arange(count)),
      result,
    );
  }

  /** What the trained rows add to a projection on the vocabulary that reads the same table: x [..., embeddingDim]. */
  projectionChange(trace: Trace, x: Tensor): Tensor {
    const { weight, numEmbeddings } = this.table;
    const indices = this.constant("indices", this.indices, "int32");
    const change = sub(trace.parameter(this.rows), gather(trace.parameter(weight), indices));
    const places = cast(equal(reshape(indices, [this.indices.length, 1]), arange(numEmbeddings)), "float32");
    return matMul(matMul(x, change, { transposeB: true }), places);
  }

  mergeStep(): MergeStep {
    const { weight, numEmbeddings } = this.table;
    return { parameter: weight, write: (trace, table) => this.replaced(trace, arange(numEmbeddings), table) };
  }

  /** @param result vectors of ids, of which those of trained rows give way: [..., embeddingDim] */
  private replaced(trace: Trace, ids: Tensor, result: Tensor): Tensor {
    return this.scoped(() => {
      const column = reshape(ids, [...ids.shape, 1]);
      const chosen = cast(equal(column, this.constant("indices", this.indices, "int32")), "float32");
      const isOther = sub(1, reduceSum(chosen, [-1], true));
      return add(mul(result, isOther), matMul(chosen, this.trainedRows(trace)));
    });
  }

  /** The row of padding gets no gradient, as in the table itself. */
  private trainedRows(trace: Trace): Tensor {
    const rows = trace.parameter(this.rows);
    const { paddingIndex } = this.table;
    if (paddingIndex === null || !this.indices.includes(paddingIndex)) return rows;
    const isTrained = this.indices.map((index) => (index === paddingIndex ? 0 : 1));
    const factor = reshape(this.constant("trained", isTrained, "float32"), [this.indices.length, 1]);
    return add(mul(rows, factor), mul(stopGradient(rows), sub(1, factor)));
  }

  private constant(name: string, values: readonly number[], dtype: "int32" | "float32"): Tensor {
    const shape = [values.length];
    const data =
      dtype === "int32"
        ? ({ dtype, shape, data: Int32Array.from(values) } as const)
        : ({ dtype, shape, data: Float32Array.from(values) } as const);
    return initializer(`${this.path}.token_adapter.${name}`, { dtype, shape }, { kind: "memory", data });
  }
}

/** A projection on the vocabulary that reads a table of which some rows are trained. */
class TiedProjection extends TunerLayer {
  constructor(
    base: Module,
    acting: Acting,
    private readonly tokens: TrainableTokens,
  ) {
    super(base, acting);
  }

  signature(): string {
    return this.tokens.signature();
  }

  protected adapted(trace: Trace, x: Tensor): Tensor {
    const result = this.base.forward(trace, x);
    return this.scoped(() => add(result, this.tokens.projectionChange(trace, x)));
  }
}

/** Has the projections that read a table see its trained rows. */
function followTies(host: Host, table: Embedding, tokens: TrainableTokens): TrainableTokens {
  for (const { module } of host.modules()) {
    if (module instanceof Linear && module.weight === table.weight) {
      host.wrap(module, (base) => new TiedProjection(base, host.acting, tokens));
    }
  }
  return tokens;
}

const configError = (message: string, hint: string): GraftError =>
  new GraftError("invalid-config", message, hint, { option: "trainableTokenIndices" });

function tableNamed(modules: readonly NamedModule[], names: readonly string[]): Embedding {
  const tables = modules.filter(({ module }) => module instanceof Embedding);
  const found = tables.find((table) => table.names.some((path) => names.some((name) => path.endsWith(name))));
  if (found) return found.module as Embedding;
  throw configError(
    `trainableTokenIndices names ${names.join(" or ")}, and the model has no such embedding table`,
    tables.length > 0
      ? `Its tables: ${tables.map((table) => table.names[0]).join(", ")}.`
      : "Leave the option out: the model embeds no tokens.",
  );
}

/**
 * Has rows of embedding tables trained, as `trainableTokenIndices` says.
 * @param taken tables that LoRA goes around
 * @throws GraftError `invalid-config` for a table or a row that is not there, and for a table that is trained otherwise
 */
export function trainTokens(
  host: Host,
  { trainableTokenIndices: given }: LoraConfig,
  taken: readonly Parameter[],
): TrainableTokens[] {
  if (given === null) return [];
  const wanted: (readonly [readonly string[], readonly number[]])[] = Array.isArray(given)
    ? [[inputEmbeddings, given]]
    : Object.entries(given).map(([name, indices]) => [[name], indices]);
  return wanted.map(([names, indices]) => {
    const table = tableNamed(host.modules(), names);
    const beyond = indices.find((index) => index >= table.numEmbeddings);
    if (beyond !== undefined) {
      throw configError(
        `trainableTokenIndices has ${beyond}, and ${table.path} has ${table.numEmbeddings} rows`,
        `Rows are counted from 0 to ${table.numEmbeddings - 1}.`,
      );
    }
    if (taken.includes(table.weight) || host.copied().includes(table.weight)) {
      throw configError(
        `${table.path} is trained otherwise, and trainableTokenIndices names rows of it`,
        "Take it out of targetModules and modulesToSave, or leave trainableTokenIndices out.",
      );
    }
    const tokens = host.wrap(table, (base) => new TrainableTokens(base, host, table, indices));
    return followTies(host, table, tokens);
  });
}
