/** The sources of the floating-point kernels, and what identifies them, so that a test can tell whether the compiled module is current. */
import { CPU_BASE } from "../lib/cpu/interpreter/layout.ts";

const folder = new URL("../lib/cpu/fpu/kernels/", import.meta.url);

/** What the kernels import as "./layout": constants of lib/cpu/interpreter/layout.ts. */
const LAYOUT = `export const CPU_BASE: usize = ${CPU_BASE};\n`;

/** The text of what kernels import by a name, null if there is no such file. */
export async function kernelSource(name: string): Promise<string | null> {
  if (name === "layout") return LAYOUT;
  return await Deno.readTextFile(new URL(`${name}.as`, folder)).catch(() => null);
}

/** SHA-256 over the names and contents of all kernel sources, hex. */
export async function kernelSourceDigest(): Promise<string> {
  const names = [];
  for await (const entry of Deno.readDir(folder)) if (entry.name.endsWith(".as")) names.push(entry.name);
  let text = LAYOUT;
  for (const name of names.sort()) text += `${name}\n${await Deno.readTextFile(new URL(name, folder))}\n`;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
