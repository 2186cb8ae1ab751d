/** A constructor of objects that can be called like functions. */
type CallableConstructor = abstract new <Input, Output>() => (input: Input) => Output;

/** What a callable's class must have: calls go to `forward`. */
interface Forwarding {
  forward(input: unknown): unknown;
}

/**
 * Base class of objects that are called: `model(inputs)` is `model.forward(inputs)`.
 * The object is a function whose prototype is the class's, so methods, fields and instanceof work as usual.
 */
function CallableObject(): object {
  const call = (input: unknown): unknown => (call as unknown as Forwarding).forward(input);
  return Object.setPrototypeOf(call, new.target.prototype);
}

export const Callable = CallableObject as unknown as CallableConstructor;
