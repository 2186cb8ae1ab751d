import type { Compressors } from "hyparquet";

/** In a page: what hyparquet reads itself (Snappy, and no compression); the others would more than double its size. */
export const compressors: Compressors = {};
