import type { Module } from "../../nn/index.js";

/** A module and the paths that transformers 4 and 5, in this order, give it (one where only one version counts). */
export interface NamedModule {
  readonly module: Module;
  readonly names: readonly string[];
}
