/** Takes turns: an action begins when all that were asked for before it have ended, well or not. */
export class Turn {
  private last: Promise<unknown> = Promise.resolve();

  /** Asks for a turn. @returns what the action returns; rejects as it does */
  take<T>(action: () => T | Promise<T>): Promise<T> {
    const result = this.last.then(action);
    this.last = result.catch(() => {});
    return result;
  }

  /** Waits for all turns that were asked for so far. */
  async ended(): Promise<void> {
    await this.last;
  }
}

/** A promise that is awaited later: a failure reaches whoever awaits it, and does not count as unhandled until then. */
export function later<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
