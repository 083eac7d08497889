import { assert, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../scripts/lib/random.ts";
import { hostCodec } from "../host/snapshot_codec.ts";
import type { StateValue } from "../machine/types.ts";
import { decodeSnapshot, encodeSnapshot, inspectSnapshot, SnapshotError, type SnapshotProblem } from "./mod.ts";

/** Bytes that do not pack well, from a seed. */
function noise(length: number, seed: number): Uint8Array {
  return new Random(seed).bytes(length);
}

function machine(): StateValue {
  const memory = new Uint8Array(40 * 4096);
  memory.set(noise(4096, 1), 4096);
  memory.set(noise(4096, 1), 8 * 4096);
  memory.set(noise(5000, 2), 20 * 4096 + 17);
  return {
    version: 1,
    config: { memory: 40 * 4096, drives: ["hda=1048576", ""], odd: -0.5 },
    cpu: { rip: 0xfff0n, rax: 2n ** 63n + 5n, halted: false, nothing: null },
    devices: {
      uart: { fifo: [1, 2, 3], small: Uint8Array.of(4, 5), words: new Uint32Array(2000).fill(7) },
      disks: [{ numbers: [3, 9], pages: [noise(4096, 3), new Uint8Array(4096)] }, null],
    },
    big: new BigUint64Array(600).fill(9n),
    memory: { pages: Uint32Array.of(1, 8, 20), data: memory },
  };
}

/** Puts the right length and checksum into a file that was tampered with. */
function seal(file: Uint8Array): Uint8Array {
  new DataView(file.buffer).setBigUint64(12, BigInt(file.length), true);
  file.set(hostCodec.sha256(file.subarray(0, file.length - 32)), file.length - 32);
  return file;
}

function problem(action: () => unknown): SnapshotProblem {
  try {
    action();
  } catch (error) {
    if (error instanceof SnapshotError) return error.reason;
    throw error;
  }
  throw new Error("it was accepted");
}

Deno.test("snapshot: a value comes back as it was, and equal values give equal files", () => {
  const file = encodeSnapshot(machine(), hostCodec, { meta: { name: "ready" } });
  const snapshot = decodeSnapshot(file, hostCodec);
  assertEquals(snapshot.value, machine());
  assertEquals([snapshot.meta, snapshot.parent], [{ name: "ready" }, null]);
  assertEquals(encodeSnapshot(machine(), hostCodec, { meta: { name: "ready" } }), file);
  assertEquals(inspectSnapshot(file, hostCodec), { id: snapshot.id, parent: null, meta: { name: "ready" } });
  assertEquals(decodeSnapshot(encodeSnapshot(null, hostCodec), hostCodec).value, null);
  assertEquals(decodeSnapshot(encodeSnapshot(noise(10_000, 5), hostCodec), hostCodec).value, noise(10_000, 5));
});

Deno.test("snapshot: equal pages are stored once and zeros never", () => {
  const one = encodeSnapshot({ memory: noise(4096, 1) }, hostCodec).length;
  const many = new Uint8Array(2000 * 4096);
  for (let i = 0; i < 1000; i++) many.set(noise(4096, 1), i * 4096);
  assert(encodeSnapshot({ memory: many }, hostCodec).length < one + 2000);
  const zeros = encodeSnapshot({ memory: new Uint8Array(100 * 2 ** 20) }, hostCodec);
  assert(zeros.length < 1000, `${zeros.length} bytes`);
  assertEquals((decodeSnapshot(zeros, hostCodec).value as { memory: Uint8Array }).memory.length, 100 * 2 ** 20);
});

Deno.test("snapshot: more pages than one block holds", () => {
  const memory = noise(700 * 4096 + 100, 4);
  assertEquals(decodeSnapshot(encodeSnapshot({ memory }, hostCodec), hostCodec).value, { memory });
});

Deno.test("snapshot: a child holds only what its ancestors have not", () => {
  const memory = noise(300 * 4096, 6);
  const grandparent = decodeSnapshot(encodeSnapshot({ memory }, hostCodec), hostCodec);
  memory.set(noise(4096, 7), 5 * 4096);
  const parentFile = encodeSnapshot({ memory }, hostCodec, { parent: grandparent });
  assert(parentFile.length < 40_000, `${parentFile.length} bytes`);
  const known = new Map([[grandparent.id, grandparent]]);
  const options = { parent: (id: string) => known.get(id) };
  const parent = decodeSnapshot(parentFile, hostCodec, options);
  known.set(parent.id, parent);
  memory.set(noise(4096, 8), 200 * 4096);
  const child = decodeSnapshot(encodeSnapshot({ memory }, hostCodec, { parent }), hostCodec, options);
  assertEquals(child.value, { memory });
  assertEquals(child.parent, parent.id);
  assertEquals(problem(() => decodeSnapshot(parentFile, hostCodec)), "parent");
});

Deno.test("snapshot: foreign, newer, truncated and changed files say what they are", () => {
  const file = encodeSnapshot(machine(), hostCodec);
  assertEquals(problem(() => decodeSnapshot(new Uint8Array(0), hostCodec)), "foreign");
  assertEquals(problem(() => decodeSnapshot(noise(5000, 1), hostCodec)), "foreign");
  assertEquals(problem(() => decodeSnapshot(file.subarray(0, 8), hostCodec)), "damaged");
  assertEquals(problem(() => decodeSnapshot(file.subarray(0, file.length - 1), hostCodec)), "damaged");
  const newer = file.slice();
  newer[8] = 2;
  assertEquals(problem(() => decodeSnapshot(newer, hostCodec)), "newer");
  const changed = file.slice();
  changed[file.length >> 1] ^= 1;
  assertThrows(() => decodeSnapshot(changed, hostCodec), SnapshotError, "checksum");
  assertEquals(problem(() => decodeSnapshot(file, hostCodec, { limit: 1000 })), "too-large");
});

Deno.test("snapshot: damaged in thousands of ways, always a SnapshotError", () => {
  const file = encodeSnapshot(machine(), hostCodec);
  const random = new Random(2024);
  for (let round = 0; round < 1500; round++) {
    problem(() => decodeSnapshot(file.subarray(0, random.below(file.length)), hostCodec));
    const flipped = file.slice();
    flipped[random.below(file.length)] ^= 1 << random.below(8);
    problem(() => decodeSnapshot(flipped, hostCodec));
  }
});

Deno.test("snapshot: forged files with a right checksum are SnapshotErrors or harmless", () => {
  const file = encodeSnapshot(machine(), hostCodec);
  const random = new Random(77);
  const attempt = (bytes: Uint8Array) => {
    try {
      decodeSnapshot(seal(bytes), hostCodec, { limit: 2 ** 24 });
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
    }
  };
  for (let round = 0; round < 1500; round++) {
    const forged = file.slice();
    for (let i = random.below(4); i >= 0; i--) forged[20 + random.below(forged.length - 52)] = random.below(256);
    attempt(forged);
  }
  // The same inside the manifest, which packing hides from flips.
  const view = new DataView(file.buffer), packed = view.getUint32(20, true), count = view.getUint32(28, true);
  const start = 32 + 4 * count, rest = file.slice(start + packed);
  const manifest = hostCodec.unpack(file.slice(start, start + packed), 1 << 24);
  for (let round = 0; round < 1500; round++) {
    const forged = manifest.slice();
    for (let i = random.below(4); i >= 0; i--) forged[random.below(forged.length)] = random.below(256);
    const repacked = hostCodec.pack(forged);
    const whole = new Uint8Array(start + repacked.length + rest.length);
    whole.set(file.subarray(0, start));
    whole.set(repacked, start);
    whole.set(rest, start + repacked.length);
    new DataView(whole.buffer).setUint32(20, repacked.length, true);
    attempt(whole);
  }
});

Deno.test("snapshot: a packed bomb is refused without being unpacked", () => {
  const file = encodeSnapshot({ a: 1 }, hostCodec);
  const bomb = hostCodec.pack(new Uint8Array(50_000_000));
  const forged = new Uint8Array(32 + bomb.length + 32);
  forged.set(file.subarray(0, 32));
  new DataView(forged.buffer).setUint32(20, bomb.length, true);
  forged.set(bomb, 32);
  assertEquals(problem(() => decodeSnapshot(seal(forged), hostCodec)), "damaged");
  new DataView(forged.buffer).setUint32(24, 0xffffffff, true);
  assertEquals(problem(() => decodeSnapshot(seal(forged), hostCodec)), "too-large");
});
