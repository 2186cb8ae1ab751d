import { Module, type Parameter } from "../../nn/index.js";

/** A layer, or layers by name or in a list, to any depth: what a net is made of. */
export type Net = Module | readonly Net[] | { readonly [name: string]: Net };

/** The parts of a net that are no module. */
const partsOf = (net: Exclude<Net, Module>): [string, Net][] => Object.entries(net);

/** The modules of a net with their names, parents first. */
export function* namedModules(net: Net, name = ""): Generator<[name: string, module: Module]> {
  const join = (part: string): string => (name === "" ? part : `${name}.${part}`);
  if (net instanceof Module) {
    yield [name, net];
    for (const [part, child] of net.children) yield* namedModules(child, join(part));
    return;
  }
  for (const [part, inner] of partsOf(net)) yield* namedModules(inner, join(part));
}

/**
 * The parameters of a net, each once, named as PyTorch names them: "fc.0.lora_A".
 * @param net a layer, or an object or array of layers
 */
export function namedParameters(net: Net): Map<string, Parameter> {
  const named = new Map<Parameter, string>();
  for (const [path, module] of namedModules(net)) {
    for (const [name, parameter] of module.ownParameters) {
      if (!named.has(parameter)) named.set(parameter, path === "" ? name : `${path}.${name}`);
    }
  }
  return new Map([...named].map(([parameter, name]) => [name, parameter]));
}
