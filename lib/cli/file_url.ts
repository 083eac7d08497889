/** Paths as URLs. */

/** The `file:` URL of a path, which may be relative to the working directory. */
export function toFileUrl(path: string): URL {
  const url = new URL(`file://${Deno.cwd()}/`);
  // Escaped piece by piece, so that names with blanks, "#" or "?" survive.
  return new URL(path.split(/[\\/]/).map(encodeURIComponent).join("/"), url);
}
