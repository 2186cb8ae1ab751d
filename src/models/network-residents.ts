import type { Parameter } from "../nn/index.js";
import type { Engine } from "../runtime/index.js";
import type { TensorData } from "../tensor-data.js";
import type { Network } from "./network.js";
import { readParameter } from "./saving.js";

type Content = Pick<Parameter, "name" | "shape" | "override" | "source">;

/** The elements that a parameter's resident tensor is made from. */
const contentOf = ({ override, source }: Content): unknown => override ?? source;

/** What the engine holds under a name once the calls made so far have had their turn. */
interface Resident {
  /** The elements that were sent, or those that were copied back since; a scalar's value. */
  content: unknown;
  /** Why they could not be sent. */
  fault?: unknown;
}

/** What a program reads besides its inputs, as it was when the program was asked for. */
export interface ResidentState {
  /** Everything that is read, whichever call sends it. */
  readonly needed: readonly Resident[];
  /** What this call sends. */
  readonly changes: readonly { readonly name: string; readonly resident: Resident; load(): Promise<TensorData> }[];
}

/** Knows what of a network the engine holds, and sends what a program needs besides. */
export class NetworkResidents {
  private readonly residents = new Map<string, Resident>();

  constructor(private readonly network: Network) {}

  /** Whether the engine holds a parameter's elements, or will once the calls made so far have had their turn. */
  holds(parameter: Parameter): boolean {
    return this.residents.get(parameter.name)?.content === contentOf(parameter);
  }

  /** To be called when the engine ends. */
  clear(): void {
    this.residents.clear();
  }

  /** What a program reads, as it is now; what the engine will not have by then is to be sent. */
  take(fedNames: ReadonlySet<string>, scalars: readonly string[]): ResidentState {
    const needed: Resident[] = [];
    const changes: ResidentState["changes"][number][] = [];
    const take = (name: string, content: unknown, load: () => Promise<TensorData>): void => {
      const known = this.residents.get(name);
      if (known && known.content === content) {
        needed.push(known);
        return;
      }
      const resident: Resident = { content };
      needed.push(resident);
      this.residents.set(name, resident);
      changes.push({ name, resident, load });
    };
    for (const { name, shape, override, source } of this.network.parameters()) {
      if (!fedNames.has(name)) continue;
      const content: Content = { name, shape, override, source };
      take(name, contentOf(content), () => readParameter(content));
    }
    const values = new Map(scalars.length > 0 ? this.network.scalars() : []);
    for (const name of scalars) {
      const value = values.get(name) ?? 1;
      take(name, value, async () => ({ dtype: "float32", shape: [], data: Float32Array.of(value) }));
    }
    return { needed, changes };
  }

  /** Sends what has changed. @throws what kept something from being sent, by whichever call */
  async send(engine: Promise<Engine>, { needed, changes }: ResidentState): Promise<void> {
    try {
      const tensors: Record<string, TensorData> = {};
      for (const { name, load } of changes) tensors[name] = await load();
      if (changes.length > 0) await (await engine).setResident(tensors);
    } catch (error) {
      for (const { name, resident } of changes) {
        resident.fault = error;
        if (this.residents.get(name) === resident) this.residents.delete(name);
      }
    }
    const missed = needed.find((resident) => resident.fault !== undefined);
    if (missed) throw missed.fault;
  }

  /** Copies elements of held parameters back into them, as they are now. @returns what is to be done in turn */
  copyBack(parameters: readonly Parameter[]): (engine: Engine) => Promise<void> {
    const held = parameters.map((parameter) => [parameter, this.residents.get(parameter.name) as Resident] as const);
    return async (engine) => {
      // What could not be sent keeps nothing else from being copied.
      const sent = held.filter(([, resident]) => resident.fault === undefined);
      const tensors = await engine.getResident(sent.map(([{ name }]) => name));
      for (const [parameter, resident] of sent) {
        // Given other elements meanwhile: those count.
        if (contentOf(parameter) !== resident.content) continue;
        parameter.setData(tensors[parameter.name] as TensorData<"float32">);
        resident.content = contentOf(parameter);
      }
    };
  }
}
