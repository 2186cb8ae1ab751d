import { GraftError } from "../../errors.js";
import { concat, expand, matMul, scalar, slice, type Tensor } from "../../graph/index.js";
import { shown } from "../../json.js";
import { type Parameter, zeros } from "../../nn/index.js";
import { LinearLayer, type LinearOptions, linearDefault } from "./linear.js";
import { tensorOf } from "./lora-layer.js";
import { scaledProduct } from "./matrices.js";

export interface MergedLinearOptions extends LinearOptions {
  /** For each of the layers that stand in one weight, whether it has an update. Default [false]. */
  readonly enableLora?: readonly boolean[];
}

/**
 * `lora.MergedLinear`: several linear layers of one size in one weight (query, key and value), some of which have an
 * update of rank r each.
 */
export class MergedLinear extends LinearLayer {
  /** [r * enabled, inFeatures] or none. */
  readonly loraA: Parameter | null = null;
  /** [outFeatures / layers * enabled, r] or none. */
  readonly loraB: Parameter | null = null;
  readonly enableLora: readonly boolean[];

  /**
   * @param inFeatures, outFeatures whole numbers from 1; outFeatures is a multiple of the number of flags
   * @throws GraftError `invalid-config` for sizes, flags and options out of range, `unsupported` for unknown options
   */
  constructor(inFeatures: number, outFeatures: number, { enableLora = [false], ...options }: MergedLinearOptions = {}) {
    super(inFeatures, outFeatures, options, ["enableLora"]);
    this.enableLora = checkedFlags(enableLora, outFeatures);
    if (!this.hasUpdate) return;
    const { r, size, enabled } = this;
    this.loraA = this.parameter("lora_A", this.made("lora_A", [r * enabled, inFeatures], linearDefault));
    this.loraB = this.parameter("lora_B", this.made("lora_B", [size * enabled, r], zeros));
    this.weight.trainable = false;
  }

  protected get hasUpdate(): boolean {
    return this.r > 0 && this.enabled > 0;
  }

  /** Features out of one of the layers. */
  private get size(): number {
    return this.outFeatures / this.enableLora.length;
  }

  private get enabled(): number {
    return this.enableLora.filter(Boolean).length;
  }

  /** The layers' places among those that have an update; null for those that have none. */
  private places(): (number | null)[] {
    let next = 0;
    return this.enableLora.map((isEnabled) => (isEnabled ? next++ : null));
  }

  protected update(): Float32Array {
    const { r, size, inFeatures } = this;
    const [a, b] = [tensorOf(this.loraA as Parameter).data, tensorOf(this.loraB as Parameter).data];
    const whole = new Float32Array(this.outFeatures * inFeatures);
    const part = (data: Float32Array, length: number, place: number): Float32Array =>
      data.subarray(place * length, (place + 1) * length);
    for (const [layer, place] of this.places().entries()) {
      if (place === null) continue;
      const product = scaledProduct(part(b, size * r, place), part(a, r * inFeatures, place), r, this.scaling);
      whole.set(product, layer * size * inFeatures);
    }
    return this.laidOut(whole);
  }

  protected writeUpdate(x: Tensor, read: (name: string) => Tensor): Tensor {
    const { r, size } = this;
    const down = matMul(x, read("lora_A"), { transposeB: true });
    const b = read("lora_B");
    const parts = this.places().map((place) =>
      place === null
        ? expand(scalar(0), [...x.shape.slice(0, -1), size])
        : matMul(slice(down, -1, place * r, (place + 1) * r), slice(b, 0, place * size, (place + 1) * size), {
            transposeB: true,
          }),
    );
    return parts.length === 1 ? (parts[0] as Tensor) : concat(parts, -1);
  }
}

/** @throws GraftError `invalid-config` for no flags, and flags whose number does not divide the features */
function checkedFlags(flags: readonly boolean[], outFeatures: number): readonly boolean[] {
  const areFlags = Array.isArray(flags) && flags.length > 0 && flags.every((flag) => typeof flag === "boolean");
  if (areFlags && outFeatures % flags.length === 0) return [...flags];
  throw new GraftError(
    "invalid-config",
    `enableLora is ${shown(flags)} for ${outFeatures} features out`,
    "Give true or false for each of the layers in the weight; their number divides the features out.",
    { option: "enableLora" },
  );
}
