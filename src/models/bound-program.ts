import type { Program } from "../runtime/index.js";

/** A program with the residents that filled its slots when it was asked for. */
export class BoundProgram {
  constructor(
    /** The same for as long as nothing was compiled anew. */
    readonly program: Program,
    private readonly bind: Readonly<Record<string, string>>,
  ) {}

  /** As `Program.run`. */
  run(...[inputs, options]: Parameters<Program["run"]>): ReturnType<Program["run"]> {
    return this.program.run(inputs, { ...options, bind: { ...this.bind, ...options?.bind } });
  }

  /** As `Program.accumulate`. */
  accumulate(...[inputs, options]: Parameters<Program["accumulate"]>): ReturnType<Program["accumulate"]> {
    return this.program.accumulate(inputs, { ...options, bind: this.bind });
  }

  /** Copies of the gradient sums of the trained parameters, by name. */
  gradients(): ReturnType<Program["gradients"]> {
    return this.program.gradients(this.bind);
  }
}
