import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FailOnError, GuestExitedError, TimeoutError } from "./errors.ts";
import { fakeContext, FakeMachine } from "./fake_machine.ts";
import { Serial } from "./serial.ts";

/** A wait for `check` with `timeout` ns from the start. */
function until(check: () => true | undefined, timeout = 1e9) {
  return { what: "a test", check, deadline: timeout };
}

Deno.test("Driver: a condition that is already true costs no instruction", async () => {
  const machine = new FakeMachine();
  await fakeContext(machine).driver.wait(until(() => true));
  assertEquals(machine.instructions, 0);
});

Deno.test("Driver: the guest stands still while nobody waits", async () => {
  const machine = new FakeMachine();
  const { driver } = fakeContext(machine);
  await driver.wait({ ...until(() => undefined), deadline: 12345, atLimit: () => true });
  assertEquals(machine.now, 12345);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(machine.now, 12345);
});

Deno.test("Driver: an instruction limit is met exactly", async () => {
  const machine = new FakeMachine();
  await fakeContext(machine).driver.wait({
    ...until(() => undefined, Infinity),
    instructionLimit: 1_000_003,
    atLimit: () => true,
  });
  assertEquals(machine.instructions, 1_000_003);
});

Deno.test("Driver: a timeout is in guest time and carries the screen and the serial lines", async () => {
  const machine = new FakeMachine().sendAt(100, "panic: no root\n");
  machine.rows = ["Booting"];
  const error = await assertRejects(() => fakeContext(machine).driver.wait(until(() => undefined, 50e6)), TimeoutError);
  assertEquals(machine.now, 50e6);
  assertStringIncludes(error.message, "a test");
  assertStringIncludes(error.message, "| Booting");
  assertStringIncludes(error.message, "| panic: no root");
});

Deno.test("Driver: an idle guest's time passes at no cost", async () => {
  const machine = new FakeMachine().at(60e9, () => machine.rows = ["done"]);
  machine.halted = true;
  await fakeContext(machine).driver.wait(until(() => machine.rows?.[0] === "done" ? true : undefined, 90e9));
  assert(machine.now < 60.1e9);
});

Deno.test("Driver: a guest that can never wake ends a wait without deadline", async () => {
  const machine = new FakeMachine();
  machine.halted = true;
  const wait = () => fakeContext(machine).driver.wait(until(() => undefined, Infinity));
  await assertRejects(wait, GuestExitedError, "halted for good");
});

Deno.test("Driver: the guest's end is an error for those who wait, unless they expect it", async () => {
  const machine = new FakeMachine().at(5000, () => machine.exit = { reason: "power-off" });
  const { driver } = fakeContext(machine);
  const expecting = driver.wait<boolean>({ ...until(() => undefined), atExit: () => false });
  await assertRejects(
    () => driver.wait(until(() => undefined)),
    GuestExitedError,
    "powered off while waiting for a test",
  );
  assertEquals(await expecting, false);
});

Deno.test("Driver: several waits share one run", async () => {
  const machine = new FakeMachine().sendAt(1000, "one\n").sendAt(900_000, "two\n");
  const context = fakeContext(machine);
  const serial = new Serial(context, 0, machine.transcripts[0]);
  const [first, second] = await Promise.all([serial.waitFor("one"), serial.waitFor(/^two/m)]);
  assertEquals([first.text, second.text], ["one", "two"]);
});

Deno.test("Driver: an abort ends the wait with the signal's reason, before and during", async () => {
  const machine = new FakeMachine();
  const { driver } = fakeContext(machine);
  const reason = new Error("enough");
  const aborted = AbortSignal.abort(reason);
  await assertRejects(() => driver.wait({ ...until(() => undefined), signal: aborted }), Error, "enough");
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 5);
  const wait = { ...until(() => undefined, Infinity), signal: controller.signal };
  await assertRejects(() => driver.wait(wait), Error, "enough");
  assertEquals(driver.busy, false);
});

Deno.test("Driver: the watchdog ends waits by host time", async () => {
  const { driver } = fakeContext(new FakeMachine(), { watchdog: 20 });
  await assertRejects(() => driver.wait(until(() => undefined, Infinity)), TimeoutError, "of host time");
});

Deno.test("Driver: what is observed as fatal ends all waits", async () => {
  const machine = new FakeMachine().at(1000, () => machine.rows = ["Kernel panic"]);
  const observe = () => machine.rows?.[0]?.includes("panic") ? "the screen shows a panic" : undefined;
  const { driver } = fakeContext(machine, { observe });
  await assertRejects(() => driver.wait(until(() => undefined)), FailOnError, "shows a panic");
});

Deno.test("Driver: in real time a sleeping guest's clock keeps to the host's, and what it does stays the same", async () => {
  const run = async (realTime: boolean) => {
    const machine = new FakeMachine().at(60e6, () => machine.rows = ["done"]);
    machine.halted = true;
    const { driver } = fakeContext(machine, { realTime });
    const started = performance.now();
    await driver.wait(until(() => machine.rows?.[0] === "done" ? true : undefined));
    return { host: performance.now() - started, runs: machine.runs, now: machine.now };
  };
  const paced = await run(true), free = await run(false);
  // The last of six steps of 10 ms begins less than a millisecond before the host's clock has come to 50.
  assert(paced.host >= 49, `${paced.host} ms`);
  assertEquals([paced.runs, paced.now], [free.runs, free.now]);
});

Deno.test("Driver: a condition is not looked at before its interval has passed, unless the wait ends", async () => {
  const looks = async (interval: number, deadline: number) => {
    const { driver, machine } = fakeContext(new FakeMachine()), seen: number[] = [];
    const check = () => {
      seen.push(machine.now);
      return machine.now >= 1_100_000 ? true : undefined;
    };
    await driver.wait({ ...until(check, deadline), interval: () => interval, atLimit: () => false });
    return seen;
  };
  assertEquals(await looks(0, 2e6), [0, 250_000, 500_000, 750_000, 1_000_000, 1_250_000]);
  assertEquals(await looks(600_000, 2e6), [0, 750_000, 1_500_000]);
  assertEquals(await looks(600_000, 1_000_000), [0, 750_000, 1_000_000]);
});

Deno.test("Driver: closing ends waits and refuses new ones", async () => {
  const { driver } = fakeContext(new FakeMachine());
  const wait = driver.wait(until(() => undefined, Infinity));
  driver.close();
  await assertRejects(() => wait, Error, "closed");
  await assertRejects(() => driver.wait(until(() => undefined)), Error, "closed");
});

Deno.test("Driver: steps do not depend on how often the host gets a turn", async () => {
  const runs = async (busy: boolean) => {
    const machine = new FakeMachine().sendAt(1_234_567, "x").at(2e6, () => machine.rows = ["y"]);
    const context = fakeContext(machine);
    const noise = busy ? setInterval(() => performance.now(), 0) : undefined;
    await new Serial(context, 0, machine.transcripts[0]).waitFor("x");
    await context.driver.wait(until(() => machine.rows?.[0] === "y" ? true : undefined));
    clearInterval(noise);
    return machine.runs;
  };
  assertEquals(await runs(false), await runs(true));
});
