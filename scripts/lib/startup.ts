/** How long it takes from starting a program to a guest's first instruction. */
import { fileURLToPath } from "node:url";

const CHILD = fileURLToPath(new URL("first_instruction.ts", import.meta.url));
const FLOPPY = fileURLToPath(new URL("../../fixtures/guest.img", import.meta.url));

/** Host time in ms from `deno run` to the guest's first instruction. */
export async function timeToFirstInstruction(): Promise<number> {
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-read", CHILD, FLOPPY],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const time = performance.now() - started;
  await reader.cancel();
  await child.status;
  if (value === undefined || new TextDecoder().decode(value).trim() !== "1") throw new Error("the guest did not start");
  return time;
}
