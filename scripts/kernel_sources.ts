/** Identifies the sources of the floating-point kernels, so that a test can tell whether the compiled module is current. */

/** SHA-256 over the names and contents of all kernel sources, hex. */
export async function kernelSourceDigest(): Promise<string> {
  const folder = new URL("../lib/cpu/fpu/kernels/", import.meta.url);
  const names = [];
  for await (const entry of Deno.readDir(folder)) if (entry.name.endsWith(".as")) names.push(entry.name);
  let text = "";
  for (const name of names.sort()) text += `${name}\n${await Deno.readTextFile(new URL(name, folder))}\n`;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
