/** Paths and `file:` URLs. */
import { OptionError } from "./errors.ts";

/** The path of a file given as path or URL. */
export function pathOf(file: string | URL): string {
  if (typeof file === "string") return file;
  if (file.protocol !== "file:") throw new OptionError(`${file} is not a file: URL`);
  return decodeURIComponent(file.pathname);
}
