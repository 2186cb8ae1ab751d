/** A constructor of objects that can be called like functions. */
type CallableConstructor = abstract new <Arguments extends readonly unknown[], Output>() => (
  ...given: Arguments
) => Output;

/** What a callable's class must have: calls go to `forward`. */
interface Forwarding {
  forward(...given: unknown[]): unknown;
}

/**
 * Base class of objects that are called: `model(inputs)` is `model.forward(inputs)`.
 * The object is a function whose prototype is the class's, so methods, fields and instanceof work as usual.
 */
function CallableObject(): object {
  return callable(new.target.prototype as Forwarding);
}

export const Callable = CallableObject as unknown as CallableConstructor;

/** A function that calls an object's `forward`, and that is the object in everything else: its fields and methods are. */
export function callable<T extends Forwarding>(object: T): T & T["forward"] {
  const call = (...given: unknown[]): unknown => (call as unknown as Forwarding).forward(...given);
  return Object.setPrototypeOf(call, object) as T & T["forward"];
}
