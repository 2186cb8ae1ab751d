import type { TensorData } from "../tensor-data.js";

/** Numbers in lists of one length per level: a tensor as it is typed by hand. */
export type NestedNumbers = readonly number[] | readonly NestedNumbers[];

/**
 * What a model is called with, by the names of its ports (`inputIds`, `pixelValues`, ...) and `labels`. Integers may be
 * of any integer dtype, floats of any float dtype. What is undefined is not there.
 */
export type ModelInputs = { readonly [name: string]: TensorData | NestedNumbers | undefined };
