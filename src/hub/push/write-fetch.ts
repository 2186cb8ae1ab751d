import { GraftError } from "../../errors.js";
import { refusal, unreachable } from "../remote/refusals.js";
import type { RepoReference } from "../remote/repo-id.js";
import { pause, reasonOf, waitBefore } from "../remote/request.js";
import type { HubSettings } from "../remote/settings.js";

const LONGEST_WAIT = 120;

/**
 * `fetch` for the client's calls: broken connections, 429 and 5xx are tried again, and refusals become errors that say what
 * to do. All these calls may be made twice: uploads are named by their hash, and a commit whose answer was lost is seen by
 * the next one, which finds nothing to change.
 */
export function writeFetch(settings: HubSettings, repo: RepoReference): typeof fetch {
  return async (input, init) => {
    const address = String(input instanceof Request ? input.url : input);
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt >= settings.tries;
      let response: Response;
      try {
        response = await fetch(input, init);
      } catch (error) {
        if (isLast) throw unreachable(settings, repo.id, reasonOf(error), error);
        await pause(waitBefore(settings, attempt));
        continue;
      }
      const isPassing = response.status === 429 || response.status === 408 || response.status >= 500;
      if (isPassing && !isLast) {
        const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
        await response.body?.cancel();
        await pause(seconds <= LONGEST_WAIT ? 1000 * seconds : waitBefore(settings, attempt));
        continue;
      }
      // 409: it is there already, which the caller may not mind.
      if (response.ok || response.status === 409) return response;
      if (address.startsWith(settings.endpoint)) throw await refusal(settings, response, { repo });
      throw new GraftError(
        "hub-unreachable",
        `the Hub's store answered ${response.status} to an upload`,
        "Try again: what was uploaded is not uploaded twice.",
      );
    }
  };
}
