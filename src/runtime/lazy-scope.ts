import { later } from "../turn.js";
import { defaultBackend } from "./default-backend.js";
import type { BackendName } from "./definition.js";
import { openScope, type ScopeOptions } from "./engine.js";
import type { EngineScope } from "./engine-scope.js";

/** A scope that opens with its first use. One that could not is not remembered: the next use tries again. */
export class LazyScope {
  private opening: Promise<EngineScope> | undefined;

  constructor(private readonly options: ScopeOptions = {}) {}

  /** Who will compute. */
  get backend(): BackendName {
    return this.options.engine?.backend ?? this.options.backend ?? defaultBackend;
  }

  /** Whether there is one, or one is on its way. */
  get isOpen(): boolean {
    return this.opening !== undefined;
  }

  /** @throws GraftError as `openScope` */
  get(): Promise<EngineScope> {
    if (this.opening === undefined) {
      const opening = later(openScope(this.options));
      this.opening = opening;
      opening.catch(() => {
        if (this.opening === opening) this.opening = undefined;
      });
    }
    return this.opening;
  }

  /** Ends what was made here: an engine of its own with its worker, of a shared one the scope alone. */
  async dispose(): Promise<void> {
    const opening = this.opening;
    this.opening = undefined;
    // One that could not start has nothing to end.
    const scope = await opening?.catch(() => undefined);
    await scope?.dispose();
  }
}
