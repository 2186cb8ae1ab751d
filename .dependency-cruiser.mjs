// The floors of the house: each room lists the rooms it may import, type-only imports included.
// No circles anywhere, and only platform/node* and cli/ may touch Node's own modules.
const base = [
  "errors",
  "tensor-data",
  "random",
  "json",
  "case",
  "turn",
  "callable",
  "class-names",
  "nearest",
  "checked",
  "problem-type",
];
const files = [...base, "platform", "safetensors", "pickle", "hub"];
const engine = [...base, "graph", "autodiff", "onnx", "optim"];
// Models and what stands on them write graphs; only compile/ and precision/ know how ONNX is written.
const models = [
  ...new Set([...files, "graph", "autodiff", "optim", "options", "runtime", "nn", "compile", "linear-algebra"]),
];
const precision = [...models, "onnx", "models"];
// Training knows modules and their parameters through models alone.
const training = [...models.filter((room) => room !== "nn"), "models", "peft", "data", "precision"];
const runs = [...training, "training", "tasks"];

const allowed = {
  errors: [],
  "problem-type": [],
  "tensor-data": ["errors"],
  random: ["errors"],
  json: ["errors"],
  turn: [],
  callable: [],
  "class-names": [],
  nearest: [],
  checked: ["errors"],
  options: base,
  platform: base,
  safetensors: [...base, "platform"],
  pickle: [...base, "platform", "safetensors"],
  hub: [...base, "platform", "safetensors", "pickle"],
  graph: base,
  autodiff: [...base, "graph"],
  onnx: [...base, "graph"],
  optim: base,
  "linear-algebra": [...base, "graph"],
  runtime: [...engine, "platform"],
  nn: [...base, "graph"],
  compile: [...engine, "runtime", "nn"],
  models,
  precision,
  peft: [...models.filter((room) => room !== "runtime"), "models"],
  data: files,
  training,
  generation: training,
  figures: [],
  nlg: base,
  // It plays the graphs of training steps through, as they are lowered.
  analysis: [...training, "onnx", "figures"],
  tasks: [...training, "training"],
  pipelines: [...runs, "generation"],
  runs,
  cli: [...runs, "runs", "generation", "pipelines", "analysis", "nlg", "index"],
  index: [...runs, "runs", "generation", "pipelines", "analysis", "nlg"],
  method: [...base, "graph", "nn", "options", "peft"],
};

const roomPattern = (rooms) => `^src/(${rooms.join("|")})(/|\\.ts$)`;

const floors = Object.entries(allowed).map(([room, below]) => ({
  name: `floor-${room}`,
  comment: `${room} may import only: ${below.join(", ") || "nothing of the project"}`,
  severity: "error",
  from: { path: roomPattern([room]) },
  to: { path: "^src/", pathNot: roomPattern([room, ...below]) },
}));

export default {
  forbidden: [
    ...floors,
    {
      name: "known-room",
      comment: "every source file belongs to a room of the table above",
      severity: "error",
      from: { path: "^src/", pathNot: roomPattern(Object.keys(allowed)) },
      to: {},
    },
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-circles-of-folders",
      comment: "within cli/ and runs/ folders stand above one another, too",
      severity: "error",
      scope: "folder",
      from: { path: "^src/(cli|runs)" },
      to: { circular: true, path: "^src/(cli|runs)" },
    },
    {
      name: "methods-behind-the-registry",
      comment: "what stands around tuning methods knows none of them; the registry alone names them",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/peft/tuners/" },
      to: { path: "^src/peft/tuners/", pathNot: "^src/peft/tuners/registry\\.ts$" },
    },
    {
      name: "node-only-in-platform-and-cli",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(platform/node[^/]*\\.ts$|cli/)" },
      to: { dependencyTypes: ["core"] },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "declared-dependency",
      comment: "the published package may use only what package.json lists under dependencies",
      severity: "error",
      from: { path: "^src/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["type-only"],
        // Listed, but reached through the package's own #csv-parse, which hides that from the check.
        pathNot: "node_modules/csv-parse/",
      },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["types", "import", "node", "default"],
      mainFields: ["module", "main", "types"],
    },
  },
};
