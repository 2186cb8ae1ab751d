import { GraftError } from "../errors.js";

/** The error for a file that breaks the format's rules. */
export function damaged(path: string, fault: string): GraftError {
  return new GraftError(
    "invalid-pickle",
    `${path} is not a file that torch.save wrote: ${fault}`,
    "The file is damaged, was cut off on the way, or is something else: fetch it again, or take the safetensors version.",
  );
}

/** The error for something that a pickle may hold and that is not read. */
export function refused(path: string, what: string): GraftError {
  return new GraftError(
    "pickle-refused",
    `${path} holds ${what}, which Graft does not read from a pickle: tensors and what surrounds them alone are`,
    "Where you trust the file's source, convert it in Python (torch.load, then safetensors.torch.save_file).",
  );
}
