/** The benchmarks of `fixtures/bench`: which there are, and how they are compiled. */

/** The architectures that they are built for. */
export type Architecture = "i386" | "amd64";

/** One benchmark, as built for one architecture. */
export interface Program {
  /** Its name in marker lines, and that of its file. */
  readonly name: string;
  /** Its source in `fixtures/bench`. */
  readonly source: string;
  /** What the compiler is told beside {@link commonFlags}. */
  readonly flags: readonly string[];
}

/** In the order in which they run. */
const SOURCES = [
  "integer",
  "sha256",
  "sieve",
  "lz",
  "quicksort",
  "matrix",
  "chase",
  "bytecode",
  "syscall",
  "forkexec",
  "memcpy",
  "repmovs",
  "smc",
  "faults",
  "pipe",
] as const;

/** What C compiler flags make x87 and SSE2 arithmetic of the same source. */
const ARITHMETIC: Record<Architecture, Record<string, readonly string[]>> = {
  i386: { "matrix-x87": ["-mfpmath=387"], "matrix-sse2": ["-msse2", "-mfpmath=sse"] },
  amd64: { "matrix-sse2": [] },
};

/** The benchmarks for an architecture, in the order in which they run. */
export function programs(architecture: Architecture): Program[] {
  return SOURCES.flatMap((name): Program[] => {
    if (name !== "matrix") return [{ name, source: `${name}.c`, flags: [] }];
    return Object.entries(ARITHMETIC[architecture]).map(([name, flags]) => ({
      name,
      source: "matrix.c",
      flags: [...flags, `-DNAME="${name}"`],
    }));
  });
}

/** Flags for every program of an architecture: a static program without a C library, for the oldest processors. */
export function commonFlags(architecture: Architecture): string[] {
  return [
    ...(architecture === "i386" ? ["-m32", "-march=i686"] : ["-m64", "-march=x86-64"]),
    ...["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"],
    ...["-ffreestanding", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-s", "-Wl,--build-id=none"],
    ...["-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fcf-protection=none"],
  ];
}
