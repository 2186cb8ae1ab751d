import { platform } from "#platform";

const port = platform.workerPort();
port.onMessage((message) => {
  if (message === "throw") throw new Error("thrown in the worker");
  if (message === "exit") process.exit(3);
  port.postMessage({ echo: message }, message instanceof Float32Array ? [message.buffer] : []);
});
