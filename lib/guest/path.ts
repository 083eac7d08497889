/** Paths and `file:` URLs. */
import { OptionError } from "./errors.ts";

/** The path of a file given as path or URL. Throws {@link OptionError} for anything else: scripts are not always type-checked. */
export function pathOf(file: string | URL): string {
  if (typeof file === "string") return file;
  if (!(file instanceof URL)) throw new OptionError(`${JSON.stringify(file)} is neither a path nor a file: URL`);
  if (file.protocol !== "file:") throw new OptionError(`${file} is not a file: URL`);
  return decodeURIComponent(file.pathname);
}
