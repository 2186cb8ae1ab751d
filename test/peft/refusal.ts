import { GraftError } from "#graft/errors";

/** The GraftError that a call ends with. */
export async function refusal(run: () => unknown): Promise<GraftError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof GraftError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
