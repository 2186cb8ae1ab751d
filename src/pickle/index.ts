export { openPickledWeights } from "./read.js";
