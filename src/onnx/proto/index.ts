export { attributeCodes, dtypeCodes } from "./codes.js";
export { decodeModel } from "./decode.js";
export { encodeInitializer, encodeModel } from "./encode.js";
export type * from "./types.js";
