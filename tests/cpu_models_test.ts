/** Processor models through the scripting API: what may be asked for, and what snapshots keep. */
import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { Guest, OptionError, Snapshot, SnapshotError } from "../mod.ts";
import { ask, bootFixture } from "./support.ts";

Deno.test("cpu: the fixture guest runs on every model", async () => {
  const hashes = new Set<string>();
  for (const cpu of ["i486", "pentium3", "x86-64", "x86-64-v2", "max", "i486,-cpuid"]) {
    await using guest = await bootFixture({ cpu });
    assertEquals(await ask(guest, "echo hello"), "hello");
    hashes.add(guest.hash());
  }
  assertEquals(hashes.size, 6, "the model is part of the machine");
});

Deno.test("cpu: what makes no sense is refused with the names that were probably meant", async () => {
  const cases: [string, string][] = [
    ["x86-64-v22", 'no processor model "x86-64-v22"; did you mean "x86-64" or "x86-64-v2"?'],
    ["zilog", "known are i486, pentium3, x86-64, x86-64-v2, max"],
    ["x86-64-v2,+sse4.3", 'no processor feature "sse4.3"; did you mean "sse" or "sse4.1" or "sse4.2"?'],
    ["x86-64-v2,aes", '"+aes" or "-aes"'],
    ["x86-64-v2,-sse2", 'needs "sse2"'],
    ["", 'no processor model ""'],
  ];
  for (const [cpu, text] of cases) await assertRejects(() => Guest.boot({ cpu }), OptionError, text);
});

Deno.test("cpu: a snapshot keeps its processor, and names the feature that is missing", async () => {
  await using guest = await bootFixture({ cpu: "x86-64-v2,+aes" });
  const snapshot = await guest.snapshot(), hash = guest.hash();
  await using again = await Guest.boot({ snapshot });
  assertEquals(again.hash(), hash);
  assertEquals(await ask(again, "echo hello"), "hello");
  await assertRejects(() => Guest.boot({ snapshot, cpu: "max" }), OptionError, "cpu does not go with a snapshot");

  await using plain = await bootFixture();
  assertNotEquals(plain.hash(), hash);
  await assertRejects(() => plain.restore(snapshot), SnapshotError, 'the saved processor has "aes"');
  await assertRejects(() => plain.snapshot().then((own) => guest.restore(own)), SnapshotError, 'processor has "aes"');

  const { contents } = snapshot, { settings } = contents;
  const foreign = (model: string, ...features: string[]) =>
    new Snapshot({
      ...contents,
      settings: { ...settings, cpu: { model, features: [...settings.cpu.features, ...features] } },
    });
  await assertRejects(
    () => Guest.boot({ snapshot: foreign("x86-64-v2", "avx512f") }),
    SnapshotError,
    'the feature "avx512f", which this version of Bootwright does not have',
  );
  await assertRejects(() => Guest.boot({ snapshot: foreign("x86-64-v5") }), SnapshotError, '"x86-64-v5"');
});
