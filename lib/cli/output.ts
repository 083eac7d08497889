/** What the command line prints. */

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
}

/** Prints text on standard output, with a line end if it has none. */
export function print(text: string): void {
  write(Deno.stdout, text.endsWith("\n") ? text : `${text}\n`);
}

/** Prints text on standard error, as it is. */
export function printError(text: string): void {
  write(Deno.stderr, text);
}
