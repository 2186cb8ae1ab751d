/** Who hears what is said on the way. */
export interface Notices {
  /** Receives remarks that deserve attention. Default console.warn. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Receives what is no cause for concern. Default console.info. */
  readonly onInfo?: ((message: string) => void) | undefined;
}

/** Notices with the defaults filled in. */
export function heard({ onWarning = console.warn, onInfo = console.info }: Notices) {
  return { onWarning, onInfo };
}
