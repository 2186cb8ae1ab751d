export { bleu } from "./bleu.js";
export { cider } from "./cider.js";
export type { Example } from "./example.js";
export { mtevalTokens } from "./mteval-tokens.js";
export { nist } from "./nist.js";
export { pennTokens } from "./penn-tokens.js";
export { readExamples } from "./read.js";
export { rougeL } from "./rouge-l.js";
