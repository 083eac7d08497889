import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkState, copyState, decodeState, encodeState, restoreState, StateError } from "./state.ts";
import type { DeviceState, StateValue } from "./types.ts";

function sample(): DeviceState {
  return {
    number: 1.5,
    big: -123456789012345678901234567890n,
    text: "zwölf",
    flag: true,
    nothing: null,
    bytes: Uint8Array.of(1, 2, 3),
    wide: BigUint64Array.of(2n ** 63n),
    fifo: [1, 2, 3],
    channels: [{ count: 1 }, { count: 2 }],
    nested: { words: Uint32Array.of(0xffffffff) },
  };
}

Deno.test("encodeState and decodeState are inverse", () => {
  assertEquals(decodeState(encodeState(sample())), sample());
});

Deno.test("encodeState does not depend on the order of the fields", () => {
  const reversed = Object.fromEntries(Object.entries(sample()).reverse());
  assertEquals(encodeState(reversed), encodeState(sample()));
});

Deno.test("decodeState refuses everything that is not an encoded state", () => {
  const bytes = encodeState(sample());
  for (let length = 0; length < bytes.length; length++) {
    assertThrows(() => decodeState(bytes.subarray(0, length)), StateError);
  }
  assertThrows(() => decodeState(Uint8Array.of(99)), StateError, "unknown kind");
  assertThrows(() => decodeState(Uint8Array.of(0, 0)), StateError, "left over");
  const deep = new Uint8Array(1000 * 5).map((_, i) => i % 5 === 0 ? 6 : i % 5 === 1 ? 1 : 0);
  assertThrows(() => decodeState(deep), StateError, "nested");
});

Deno.test("decodeState of damaged bytes never fails in another way than with StateError", () => {
  const bytes = encodeState(sample());
  for (let i = 0; i < bytes.length; i++) {
    const damaged = bytes.slice();
    damaged[i] ^= 0x41;
    try {
      decodeState(damaged);
    } catch (error) {
      assert(error instanceof StateError, String(error));
    }
  }
});

Deno.test("restoreState keeps the identity of records and typed arrays", () => {
  const state = sample();
  const { bytes, nested, channels } = state;
  const saved = copyState(state);
  state.number = 9;
  (bytes as Uint8Array).fill(0);
  (state.fifo as number[]).push(4, 5);
  const second = (channels as StateValue[])[1];
  (second as { count: number }).count = 77;
  restoreState(state, saved);
  assertEquals(state, sample());
  assert(state.bytes === bytes && state.nested === nested && (state.channels as StateValue[])[1] === second);
});

Deno.test("checkState names the field that does not fit", () => {
  const check = (change: (state: DeviceState) => void) => {
    const state = copyState(sample());
    change(state);
    checkState(sample(), state, "device");
  };
  check((state) => state.fifo = []);
  check((state) => state.nothing = { anything: 1 });
  assertThrows(() => check((state) => delete state.text), StateError, "device.text: missing");
  assertThrows(() => check((state) => state.more = 1), StateError, "device.more: unknown field");
  assertThrows(() => check((state) => state.bytes = new Uint8Array(4)), StateError, "expected Uint8Array(3), found");
  assertThrows(() => check((state) => state.fifo = ["x"]), StateError, "device.fifo[0]: expected number, found string");
  assertThrows(() => check((state) => state.nested = { words: 1 }), StateError, "device.nested.words");
});
