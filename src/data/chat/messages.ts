import { GraftError } from "../../errors.js";
import { isJsonObject, shown } from "../../json.js";

/** One message of a chat. `content` is a text, or a list of parts for templates that take them; other keys are the template's. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: string | readonly Readonly<Record<string, unknown>>[] | null;
  readonly [key: string]: unknown;
}

/** @throws GraftError `invalid-argument` for what is no list of messages with roles, or an empty one */
export function requireMessages(messages: unknown, name = "the chat"): asserts messages is readonly ChatMessage[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new GraftError(
      "invalid-argument",
      `${name} holds ${Array.isArray(messages) ? "no messages" : `${shown(messages)}, not a list of messages`}`,
      'Give messages such as [{"role": "user", "content": "Hello"}].',
    );
  }
  messages.forEach((message, index) => {
    if (isJsonObject(message) && typeof message.role === "string") return;
    throw new GraftError(
      "invalid-argument",
      `${name}: message ${index + 1} is ${shown(message)}, which has no role`,
      'A message is such as {"role": "user", "content": "Hello"}.',
    );
  });
}
