import { expect, test } from "vitest";
import { Module, ModuleList } from "#graft/nn/index";

class Leaf extends Module {}

test("a list's items are its children, replaced ones included", () => {
  const [first, second, replacement] = [new Leaf(), new Leaf(), new Leaf()];
  const list = new ModuleList([first, second]);
  expect(list.items).toEqual([first, second]);
  list.replaceChild("1", replacement);
  expect(list.items[1]).toBe(replacement);
  expect(list.items[0]).toBe(first);
});
