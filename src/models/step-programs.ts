import type { Parameter } from "../nn/index.js";
import type { AfterStep, BackendName, EngineScope, Program } from "../runtime/index.js";
import type { TensorData } from "../tensor-data.js";
import type { NetworkResidents } from "./network-residents.js";
import { readParameter } from "./saving.js";
import { defineStepProgram, gradientOf, type StepGraph, type StepProgram } from "./step-program.js";

/** What step programs need of the runner. */
export interface StepPlace {
  readonly residents: NetworkResidents;
  readonly backend: BackendName;
  engine(): Promise<EngineScope>;
  /** Does something after what was asked for before it. */
  inOrder<T>(action: () => Promise<T>): Promise<T>;
}

interface CompiledStep extends StepProgram {
  readonly compiled: Promise<Program>;
  /** The slots that it was written with. */
  readonly slots: string;
}

const slotsOf = ({ fed, graded }: StepProgram): string => [...fed, ...graded].map((one) => one.inputName).join();

/** Programs that run between an update and the clearing of its gradients, and what they leave in the engine. */
export class StepPrograms {
  private readonly programs = new Map<object, CompiledStep>();
  /** Parameters that the engine changes though they are not trained. */
  private readonly changed = new Set<Parameter>();

  constructor(private readonly place: StepPlace) {}

  /**
   * A program for `OptimizerHandle.step({ after })`. What it reads is in the engine afterwards.
   * @param key tells graphs apart: the same object has the same graph, which is written once
   */
  async program(key: object, write: StepGraph): Promise<AfterStep> {
    const { compiled, fed, graded, written } = await this.current(key, write);
    const { residents, inOrder } = this.place;
    const state = residents.takeParameters(fed);
    for (const parameter of written) this.changed.add(parameter);
    const gradients = graded.map(({ inputName, name }) => [gradientOf(inputName), gradientOf(name)]);
    const bind = { ...state.bind, ...Object.fromEntries(gradients) };
    const engine = this.place.engine();
    return inOrder(async () => {
      await residents.send(engine, state);
      return { program: await compiled, bind };
    });
  }

  /** The program of a graph as its slots are called now: an adapter's are called otherwise beside others. */
  private async current(key: object, write: StepGraph): Promise<CompiledStep> {
    const known = this.programs.get(key);
    if (known === undefined) return this.compile(key, write);
    if (known.slots === slotsOf(known)) return known;
    this.programs.delete(key);
    await (await known.compiled).dispose();
    return this.compile(key, write);
  }

  private compile(key: object, write: StepGraph): CompiledStep {
    const made = defineStepProgram(write, this.place.backend);
    const compiled = this.place.engine().then((engine) => engine.compile(made.definition));
    // The failure reaches whoever awaits the program; the next call tries again.
    compiled.catch(() => this.programs.delete(key));
    const program = { ...made, compiled, slots: slotsOf(made) };
    this.programs.set(key, program);
    return program;
  }

  /** Elements of parameters as they are now, in the engine where it holds them. */
  async read(parameters: readonly Parameter[]): Promise<TensorData[]> {
    const held = parameters.filter((parameter) => this.place.residents.holds(parameter));
    const engine = this.place.engine();
    const tensors = await this.place.inOrder(async () => (await engine).getResident(held.map(({ name }) => name)));
    return Promise.all(parameters.map(async (one) => tensors[one.name] ?? readParameter(one)));
  }

  /** Gives parameters other elements, in the engine where it holds them. */
  async write(elements: ReadonlyMap<Parameter, TensorData<"float32">>): Promise<void> {
    const held: Record<string, TensorData> = {};
    for (const [parameter, data] of elements) {
      if (this.place.residents.holds(parameter)) held[parameter.name] = data;
      else parameter.setData(data);
    }
    const engine = this.place.engine();
    await this.place.inOrder(async () => (await engine).setResident(held));
  }

  /** Parameters that the engine holds and that programs have changed there. */
  written(): Parameter[] {
    return [...this.changed].filter((parameter) => this.place.residents.holds(parameter));
  }

  /** To be called when the engine ends. */
  clear(): void {
    this.programs.clear();
    this.changed.clear();
  }
}
