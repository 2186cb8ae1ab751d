import { Module } from "./module.js";

/** Modules in a row, named "0", "1", ... */
export class ModuleList<M extends Module> extends Module {
  constructor(items: readonly M[]) {
    super();
    for (const [index, item] of items.entries()) this.child(String(index), item);
  }

  get items(): readonly M[] {
    return [...this.children.values()] as M[];
  }
}
