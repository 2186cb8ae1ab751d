/** Decompressors of all codecs that Parquet files use. */
export { compressors } from "hyparquet-compressors";
