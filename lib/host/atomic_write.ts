/** Writing files so that a reader, or a crash, never sees half of one. */

/** A file could not be written; the one that was there before, if any, is untouched. */
export class FileWriteError extends Error {
  override readonly name = "FileWriteError";
}

/**
 * Writes `bytes` to `path` all at once: into a new file in the same folder, which then takes the place of `path`.
 * Needs permission to read and write in the folder.
 *
 * @throws FileWriteError if that is impossible; nothing is left behind then.
 */
export function writeFileAtomically(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    const file = Deno.openSync(temporary, { write: true, createNew: true });
    try {
      for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
      file.syncSync();
    } finally {
      file.close();
    }
    Deno.renameSync(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    throw new FileWriteError(explain(path, error), { cause: error });
  }
  syncFolder(path);
}

function explain(path: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Deno.errors.NotCapable) {
    return `cannot write ${path}: it is written through a temporary file beside it, so --allow-read and --allow-write are ` +
      `needed for its folder (${message})`;
  }
  return `cannot write ${path}: ${message}`;
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It was not made, or it is gone with its folder.
  }
}

/** Makes the new directory entry durable where the system can do that for folders. */
function syncFolder(path: string): void {
  try {
    const folder = Deno.openSync(path.replace(/[^/\\]*$/, "") || ".", { read: true });
    try {
      folder.syncSync();
    } finally {
      folder.close();
    }
  } catch {
    // Without this the file is complete as well, only perhaps the old one after a power failure.
  }
}
