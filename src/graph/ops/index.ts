import type { OpName } from "../attributes.js";
import { installOps, type OpTable } from "../op.js";
import { binaryOps } from "./binary.js";
import { indexingOps } from "./indexing.js";
import { linearAlgebraOps } from "./linear-algebra.js";
import { normalizationOps } from "./normalization.js";
import { reduceOps } from "./reduce.js";
import { shapeOps } from "./shape.js";
import { unaryOps } from "./unary.js";

/** Every operator's shape rule and gradient rule; the compiler lists what is missing. */
export const ops: OpTable<OpName> = {
  ...linearAlgebraOps,
  ...unaryOps,
  ...binaryOps,
  ...reduceOps,
  ...shapeOps,
  ...indexingOps,
  ...normalizationOps,
};

installOps(ops);
