/** Starts a guest with the floppy that is given, and says when its first instruction is done. */
import { Guest } from "../../mod.ts";

await using guest = await Guest.boot({ fda: Deno.args[0], memory: "16M" });
await guest.run({ instructions: 1 });
console.log(guest.instructions);
