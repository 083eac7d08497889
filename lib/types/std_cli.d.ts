/**
 * Types of what this project uses from `@std/cli` of Deno's standard library; see std_assert.d.ts for why they are here.
 */
declare module "@std/cli" {
  /** What {@link parseArgs} is told about the options of a command. */
  export interface ParseOptions {
    /** Everything after `--` goes to `result["--"]`. */
    "--"?: boolean;
    /** Other names of an option. */
    alias?: Record<string, string | readonly string[]>;
    /** Options without a value. */
    boolean?: boolean | readonly string[];
    /** Options with a value. */
    string?: readonly string[];
    /** Options that may be given more than once; their value is an array. */
    collect?: readonly string[];
    default?: Record<string, unknown>;
    /** Options for which `--no-NAME` works. */
    negatable?: readonly string[];
    /** Treat everything after the first positional argument as positional. */
    stopEarly?: boolean;
    /** Called for every argument that is not declared; return false to leave it out of the result. */
    unknown?: (argument: string, key?: string, value?: unknown) => unknown;
  }

  /** Parses command-line arguments; positional ones are in `_`. */
  export function parseArgs(
    args: readonly string[],
    options?: ParseOptions,
  ): { _: (string | number)[]; "--"?: string[]; [name: string]: unknown };

  /** The number of columns that a string takes on a terminal. */
  export function unicodeWidth(text: string): number;
}
