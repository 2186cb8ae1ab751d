/** A tuning method of the comparison: how it is asked for, and the learning rates that are tried. */
export interface MethodJob {
  /** The name of its runs. */
  readonly name: string;
  /** `--method`. */
  readonly method: string;
  /** Options of the method, as on its line of the command line; those of examples/sst2.yaml are LoRA's. */
  readonly options: string;
  /** Flags beside them. */
  readonly flags?: readonly string[];
  /** What is usual for the method, and a lower and a higher rate. */
  readonly rates: readonly [number, number, number];
}

const virtual = "num_virtual_tokens=20";
const bottleneck = "reduction_factor=16";

/**
 * Every method on one job. Rates: all weights 2e-5 to 1e-4 and bottlenecks 3e-4 to 3e-3 as in their papers; LoRA and its kin about
 * 1e-3; what trains few numbers (vectors, prompts) several times as much.
 */
export const methodJobs: readonly MethodJob[] = [
  { name: "ft", method: "ft", options: "", rates: [2e-5, 5e-5, 1e-4] },
  { name: "ft-top2", method: "ft-top2", options: "num_layers=2", rates: [5e-5, 1e-4, 3e-4] },
  { name: "bitfit", method: "bitfit", options: "", rates: [5e-4, 1e-3, 3e-3] },
  {
    name: "preembed",
    method: "preembed",
    options: "num_prefix_tokens=8,num_infix_tokens=8",
    rates: [3e-3, 1e-2, 3e-2],
  },
  {
    name: "prelayer",
    method: "prelayer",
    options: "num_prefix_tokens=8,num_infix_tokens=8",
    rates: [1e-3, 3e-3, 1e-2],
  },
  { name: "houlsby", method: "houlsby", options: bottleneck, rates: [3e-4, 1e-3, 3e-3] },
  { name: "lin", method: "lin", options: bottleneck, rates: [3e-4, 1e-3, 3e-3] },
  { name: "pfeiffer", method: "pfeiffer", options: bottleneck, rates: [3e-4, 1e-3, 3e-3] },
  { name: "adapter-drop-2", method: "adapter-drop", options: `${bottleneck},skip_layers=2`, rates: [3e-4, 1e-3, 3e-3] },
  {
    name: "adapter-drop-drawn",
    method: "adapter-drop",
    options: `${bottleneck},skip_layers=random`,
    rates: [3e-4, 1e-3, 3e-3],
  },
  { name: "lora", method: "lora", options: "", rates: [5e-4, 1e-3, 2e-3] },
  { name: "lora-rslora", method: "lora", options: "use_rslora=true", rates: [3e-4, 1e-3, 2e-3] },
  { name: "lora-dora", method: "lora", options: "use_dora=true", rates: [5e-4, 1e-3, 2e-3] },
  { name: "lora-bias", method: "lora", options: "lora_bias=true", rates: [5e-4, 1e-3, 2e-3] },
  { name: "lora-pissa", method: "lora", options: "init_lora_weights=pissa", rates: [1e-4, 3e-4, 1e-3] },
  { name: "lora-olora", method: "lora", options: "init_lora_weights=olora", rates: [1e-4, 3e-4, 1e-3] },
  { name: "lora-orthogonal", method: "lora", options: "init_lora_weights=orthogonal", rates: [3e-4, 1e-3, 2e-3] },
  { name: "lora-mica", method: "lora", options: "init_lora_weights=mica", rates: [1e-3, 3e-3, 1e-2] },
  { name: "lora-plus", method: "lora", options: "", flags: ["--loraplus-lr-ratio", "16"], rates: [5e-5, 1e-4, 3e-4] },
  { name: "lora-fa", method: "lora", options: "", flags: ["--optim", "lorafa"], rates: [5e-4, 1e-3, 3e-3] },
  {
    name: "adalora",
    method: "adalora",
    options: "target_r=8,init_r=12,lora_alpha=32,target_modules=query,value",
    rates: [1e-3, 2e-3, 5e-3],
  },
  { name: "loha", method: "loha", options: "r=8,alpha=16,target_modules=query,value", rates: [1e-3, 3e-3, 1e-2] },
  { name: "lokr", method: "lokr", options: "r=8,alpha=16,target_modules=query,value", rates: [1e-3, 3e-3, 1e-2] },
  { name: "vera", method: "vera", options: "r=256,target_modules=query,value", rates: [3e-3, 1e-2, 3e-2] },
  { name: "ia3", method: "ia3", options: "", rates: [1e-3, 3e-3, 1e-2] },
  { name: "ln-tuning", method: "ln-tuning", options: "target_modules=LayerNorm", rates: [5e-4, 1e-3, 3e-3] },
  { name: "prompt-tuning", method: "prompt-tuning", options: virtual, rates: [1e-2, 3e-2, 1e-1] },
  { name: "prefix-tuning", method: "prefix-tuning", options: virtual, rates: [3e-3, 1e-2, 3e-2] },
  {
    name: "prefix-tuning-projected",
    method: "prefix-tuning",
    options: `${virtual},prefix_projection=true`,
    rates: [3e-4, 1e-3, 3e-3],
  },
  { name: "p-tuning", method: "p-tuning", options: virtual, rates: [3e-4, 1e-3, 3e-3] },
];
