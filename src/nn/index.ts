export { Module } from "./module.js";
export { ModuleList } from "./module-list.js";
export { Parameter, type ParameterSource } from "./parameter.js";
export { defineExport, defineProgram, type ExportRequest, type ProgramRequest } from "./program.js";
export { type MaskSite, type Mode, Trace } from "./trace.js";
