import { type Mode, type Module, type Parameter, Wrapper } from "../nn/index.js";
import type { Network } from "./network.js";

const numbers = new WeakMap<object, number>();
let count = 0;

/** A number for an object, the same for as long as it lives. */
export function identityOf(object: object): number {
  let number = numbers.get(object);
  if (number === undefined) {
    number = ++count;
    numbers.set(object, number);
  }
  return number;
}

function moduleSignature(module: Module, mode: Mode): string {
  if (!(module instanceof Wrapper)) return String(identityOf(module));
  return module.isActing ? `${module.constructor.name}(${module.signature(mode)})` : "";
}

function parameterSignature(parameter: Parameter, isFed: boolean): string {
  const { inputName, trainable, symbolicShape, content } = parameter;
  return isFed
    ? `${inputName}:${trainable}:${symbolicShape.join()}`
    : `${identityOf(parameter)}:${trainable}:${identityOf(content)}`;
}

/**
 * All that a network's graph is made from, as a text: modules, what acts around them and at their sites, and the elements
 * that are built in. Networks of equal signature write equal graphs. Of a fed parameter only slot, shape and
 * trainability count, so that another adapter's takes its place in the same program.
 */
export function signatureOf(network: Network, mode: Mode, isFed: (parameter: Parameter) => boolean): string {
  const modules = [...network.modules()].map((module) => moduleSignature(module, mode)).filter((text) => text !== "");
  const parameters = [...network.parametersInForce()].map((one) => parameterSignature(one, isFed(one)));
  return [network.siteSignature(), ...modules, ...parameters].join(";");
}
