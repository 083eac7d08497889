/** The same guest, however it is run: twice, in every tier, in odd slices, with a snapshot in the middle, beside others. */
import { assertEquals } from "@std/assert";
import { Guest, type GuestOptions, type Snapshot, type Tier } from "../mod.ts";
import { FIXTURE_IMAGE, type Requirement, sharedImage, testWith } from "./support.ts";

/** A guest, and how far it is run. */
interface Subject {
  readonly name: string;
  readonly options: GuestOptions;
  readonly needed: readonly Requirement[];
  /** Instructions from power-on to where the hashes are compared. */
  readonly instructions: number;
}

const freedos = sharedImage("freedos722.img"), mikeos = sharedImage("mikeos.flp");

const SUBJECTS: readonly Subject[] = [
  { name: "the fixture guest", options: { fda: FIXTURE_IMAGE }, needed: [], instructions: 150_000 },
  { name: "MikeOS", options: { fda: mikeos.path }, needed: [mikeos], instructions: 60_000 },
  { name: "FreeDOS", options: { fda: freedos.path }, needed: [freedos], instructions: 4_600_000 },
];

function boot({ options }: Subject): Promise<Guest> {
  return Guest.boot({ memory: "8M", ...options });
}

/** The hash after the subject's instructions, run in slices of `slice`. */
async function runInSlices(subject: Subject, slice: number, first = 0): Promise<string> {
  await using guest = await boot(subject);
  if (first > 0) await guest.run({ instructions: first });
  while (guest.instructions < subject.instructions) {
    await guest.run({ instructions: Math.min(slice, subject.instructions - guest.instructions) });
  }
  return guest.hash();
}

/** The hash of a new guest that continues where `snapshot` was taken. */
async function continueFrom(snapshot: Snapshot, subject: Subject): Promise<string> {
  await using guest = await Guest.boot({ snapshot });
  await guest.run({ instructions: subject.instructions - guest.instructions });
  return guest.hash();
}

/** Goes from tier to tier with snapshots, a third of the way in each. */
async function acrossTiers(subject: Subject): Promise<string> {
  const third = Math.floor(subject.instructions / 3);
  let snapshot: Snapshot;
  {
    await using guest = await boot({ ...subject, options: { ...subject.options, tier: "interpreter" } });
    await guest.run({ instructions: third });
    snapshot = await guest.snapshot();
  }
  {
    await using guest = await Guest.boot({ snapshot, tier: "regions" });
    await guest.run({ instructions: third });
    snapshot = await guest.snapshot();
  }
  await using guest = await Guest.boot({ snapshot, tier: "auto" });
  await guest.run({ instructions: subject.instructions - guest.instructions });
  return guest.hash();
}

for (const subject of SUBJECTS) {
  testWith(`${subject.name} ends with the same hash in every tier`, subject.needed, async () => {
    const inTier = (tier: Tier) =>
      runInSlices({ ...subject, options: { ...subject.options, tier } }, subject.instructions);
    const interpreted = await inTier("interpreter");
    assertEquals(await inTier("regions"), interpreted, "regions");
    assertEquals(await inTier("single"), interpreted, "one-instruction regions");
    assertEquals(await inTier("auto"), interpreted, "auto");
    assertEquals(await acrossTiers(subject), interpreted, "from tier to tier by snapshots");
  });

  testWith(`${subject.name} ends with the same hash however it is run`, subject.needed, async () => {
    const whole = await runInSlices(subject, subject.instructions);
    assertEquals(await runInSlices(subject, subject.instructions), whole, "a second run");
    assertEquals(await runInSlices(subject, 1_000_003), whole, "slices of 1,000,003");
    const tail = (count: number) => Math.max(0, subject.instructions - count);
    assertEquals(await runInSlices(subject, 7, tail(70_000)), whole, "slices of 7 at the end");
    assertEquals(await runInSlices(subject, 1, tail(10_000)), whole, "slices of 1 at the end");
    assertEquals(
      await runInSlices({ ...subject, instructions: 9_000 }, 1),
      await runInSlices({ ...subject, instructions: 9_000 }, 9_000),
      "slices of 1 at the start",
    );

    await using guest = await boot(subject);
    await guest.run({ instructions: Math.floor(subject.instructions / 3) });
    const snapshot = await guest.snapshot();
    await guest.run({ instructions: Math.floor(subject.instructions / 2) });
    await guest.restore(snapshot);
    await guest.run({ instructions: subject.instructions - guest.instructions });
    assertEquals(guest.hash(), whole, "a restore in the middle");
    assertEquals(await continueFrom(snapshot, subject), whole, "a new guest from a snapshot");
  });
}
