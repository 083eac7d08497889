import { assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { buildBenchmarks, compiler } from "./bench_build.ts";
import { programs } from "./bench_programs.ts";

const SOURCES = fileURLToPath(new URL("../../fixtures/bench", import.meta.url));

Deno.test("programs: are all that there are sources for", () => {
  const sources = [...Deno.readDirSync(SOURCES)].map(({ name }) => name).filter((name) => name.endsWith(".c"));
  for (const architecture of ["i386", "amd64"] as const) {
    assertEquals([...new Set(programs(architecture).map(({ source }) => source))].sort(), sources.sort());
  }
});

Deno.test({
  name: "buildBenchmarks: makes programs that compute what they should",
  ignore: Deno.build.os !== "linux" || Deno.build.arch !== "x86_64" || await compiler().catch(() => null) === null,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      for (const name of (await buildBenchmarks("amd64", SOURCES, folder)).keys()) {
        const { code, stdout } = await new Deno.Command(`${folder}/${name}`, { args: ["1"] }).output();
        assertMatch(
          new TextDecoder().decode(stdout),
          new RegExp(`^BENCH ${name} BEGIN\nBENCH ${name} END \\w{8} ok\n$`),
        );
        assertEquals(code, 0);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
