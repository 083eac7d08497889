/** The version of this package, as deno.json says it. */
import configuration from "../../deno.json" with { type: "json" };

/** For example `"0.1.0"`. */
export const VERSION: string = configuration.version;
