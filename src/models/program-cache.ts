import type { Mode } from "../nn/index.js";
import type { Program } from "../runtime/index.js";

/** A program, made or in the making. */
export interface CachedProgram {
  readonly compiled: Promise<Program>;
  /** Names of the inputs that resident tensors fill. */
  readonly fedNames: ReadonlySet<string>;
}

/** Programs that are kept at most; each training program holds on to the memory of its largest step. */
const mostPrograms: { readonly [M in Mode]: number } = { train: 2, eval: 4 };

/** Frees programs. A failure to compile one was told where it was asked for. */
export async function disposePrograms(programs: readonly CachedProgram[]): Promise<void> {
  for (const { compiled } of programs) {
    const finished = await compiled.catch(() => undefined);
    await finished?.dispose();
  }
}

/** The programs used last, by what they are made from. */
export class ProgramCache {
  /** The one used last stands last. */
  private readonly programs: { readonly [M in Mode]: Map<string, CachedProgram> } = {
    train: new Map(),
    eval: new Map(),
  };

  /**
   * The program of a key, which from now on is the one used last. One that cannot be compiled is not remembered: the
   * next call makes it again.
   * @returns it, and those that have not been used for longest and are too many, which the caller frees
   */
  use(mode: Mode, key: string, make: () => CachedProgram): { program: CachedProgram; outdated: CachedProgram[] } {
    const programs = this.programs[mode];
    const known = programs.get(key);
    const program = known ?? make();
    programs.delete(key);
    programs.set(key, program);
    if (known !== undefined) return { program, outdated: [] };
    // The failure reaches whoever awaits the program; until then it must not count as unhandled.
    program.compiled.catch(() => {
      if (programs.get(key) === program) programs.delete(key);
    });
    const old = [...programs].slice(0, Math.max(programs.size - mostPrograms[mode], 0));
    for (const [name] of old) programs.delete(name);
    return { program, outdated: old.map(([, one]) => one) };
  }

  /** Forgets all programs. @returns them */
  clear(): CachedProgram[] {
    const all = Object.values(this.programs).flatMap((programs) => [...programs.values()]);
    for (const programs of Object.values(this.programs)) programs.clear();
    return all;
  }
}
