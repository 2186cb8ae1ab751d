/** `npm run example:browser`: fine-tuning in a page, served on this machine until Ctrl-C. */
import { openExample } from "./site.js";

const { url } = await openExample(Number(process.env.PORT ?? 8080));
console.log(`Open ${url} in Chrome. Ctrl-C ends the server.`);
