/** Initialisations by name, as PEFT's `init_lora_weights` has them. */
export const initializationNames = ["gaussian", "orthogonal", "pissa", "olora", "mica"] as const;

export type InitializationName = (typeof initializationNames)[number];

/** PiSSA by randomised decomposition; the number is that of its iterations. */
export const fastPissa = /^pissa_niter_(\d+)$/;
