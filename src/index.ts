export { GraftError, type GraftErrorCode } from "./errors.js";
