// The engine's worker on a port that refuses results with a tensor called "unsendable".
import { parentPort } from "node:worker_threads";

const post = parentPort.postMessage.bind(parentPort);
parentPort.postMessage = (message, transfer) => {
  if (message.result?.unsendable) throw new Error("the result could not be cloned");
  post(message, transfer);
};
await import("#graft/runtime/worker");
