export { gradients } from "./gradients.js";
export { nodesInOrder } from "./topology.js";
