/**
 * The command line: `deno run --allow-read --allow-write cli.ts run --fda freedos.img --until-screen 'A:\\>' --screen`.
 *
 * @module
 */
import { main } from "./lib/cli/main.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
