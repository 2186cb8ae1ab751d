import type { Parameter } from "../nn/index.js";
import type { EngineScope } from "../runtime/index.js";
import type { TensorData } from "../tensor-data.js";
import type { Network } from "./network.js";
import { readParameter } from "./saving.js";

/** What the engine holds under a name once the calls made so far have had their turn. */
interface Resident {
  /** The elements that were sent, or those that were copied back since. */
  content: object;
  /** Why they could not be sent. */
  fault?: unknown;
}

/** What a program reads besides its inputs, as it was when the program was asked for. */
export interface ResidentState {
  /** Everything that is read, whichever call sends it. */
  readonly needed: readonly Resident[];
  /** What this call sends. */
  readonly changes: readonly { readonly name: string; readonly resident: Resident; load(): Promise<TensorData> }[];
  /** Which resident fills each slot of the program; slots that have a resident's own name are left out. */
  readonly bind: Readonly<Record<string, string>>;
}

/** Knows what of a network the engine holds, and sends what a program needs besides. */
export class NetworkResidents {
  private readonly residents = new Map<string, Resident>();

  constructor(private readonly network: Network) {}

  /** Whether the engine holds a parameter's elements, or will once the calls made so far have had their turn. */
  holds(parameter: Parameter): boolean {
    return this.residents.get(parameter.name)?.content === parameter.content;
  }

  /** Forgets what the engine holds under some names. @returns those of them that it held */
  forget(names: readonly string[]): string[] {
    return names.filter((name) => this.residents.delete(name));
  }

  /** To be called when the engine ends. */
  clear(): void {
    this.residents.clear();
  }

  /** What a program with these inputs reads, as it is now; what the engine will not have by then is to be sent. */
  take(inputNames: ReadonlySet<string>): ResidentState {
    const parameters = [...this.network.parametersInForce()];
    return this.takeParameters(parameters.filter(({ inputName }) => inputNames.has(inputName)));
  }

  /** As `take`, for the parameters themselves. */
  takeParameters(parameters: readonly Parameter[]): ResidentState {
    const needed: Resident[] = [];
    const changes: ResidentState["changes"][number][] = [];
    const bind: Record<string, string> = {};
    for (const parameter of parameters) {
      const { name, inputName, content } = parameter;
      if (inputName !== name) bind[inputName] = name;
      const known = this.residents.get(name);
      if (known && known.content === content) {
        needed.push(known);
        continue;
      }
      const resident: Resident = { content };
      needed.push(resident);
      this.residents.set(name, resident);
      const { shape, source, storage, adjustments } = parameter;
      const asItIs = { name, shape, source, storage, adjustments: [...adjustments] };
      changes.push({ name, resident, load: () => readParameter(asItIs) });
    }
    return { needed, changes, bind };
  }

  /** Sends what has changed. @throws what kept something from being sent, by whichever call */
  async send(engine: Promise<EngineScope>, { needed, changes }: ResidentState): Promise<void> {
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
  copyBack(parameters: readonly Parameter[]): (engine: EngineScope) => Promise<void> {
    const held = parameters.map((parameter) => [parameter, this.residents.get(parameter.name) as Resident] as const);
    return async (engine) => {
      // What could not be sent keeps nothing else from being copied.
      const sent = held.filter(([, resident]) => resident.fault === undefined);
      const tensors = await engine.getResident(sent.map(([{ name }]) => name));
      for (const [parameter, resident] of sent) {
        // Given other elements meanwhile: those count.
        if (parameter.content !== resident.content) continue;
        parameter.setData(tensors[parameter.name] as TensorData<"float32">);
        resident.content = parameter.content;
      }
    };
  }
}
