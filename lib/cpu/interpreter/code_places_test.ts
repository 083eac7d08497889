import { assertEquals } from "@std/assert";
import { Code, ModuleBuilder, Op } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { S } from "../state.ts";
import { CodePlaces, emitFindAgain } from "./code_places.ts";
import { ARENA_BASE, CPU_BASE, HEADER, MEMORY_PAGES } from "./layout.ts";

/** S.MODE in flat 32-bit user code, in an epoch. */
function mode(epoch: number): number {
  return 0x35 | (epoch << 8);
}

function setUp() {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES }), state = new DataView(memory.buffer);
  const module = new ModuleBuilder(), code = new Code(1), header = code.local("i32");
  module.importMemory("env", "memory", MEMORY_PAGES);
  code.i32(ARENA_BASE);
  code.set(header);
  code.block((other) => {
    emitFindAgain(code, header, Value.local("i64", 0), other);
    code.i32(1);
    code.op(Op.RETURN);
  });
  code.i32(0);
  module.export("find", module.function({ parameters: ["i64"], results: ["i32"] }, code));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), { env: { memory } });
  const find = exports.find as (linear: bigint) => number;
  return {
    places: new CodePlaces(memory),
    /** A block of some bytes was at `linear` in `then`: true if it is found there `now`. */
    isThere: (linear: number, bytes: number, then: number, now: number): boolean => {
      state.setUint16(ARENA_BASE + HEADER.BYTES, bytes, true);
      state.setInt32(ARENA_BASE + HEADER.MODE, then, true);
      state.setInt32(CPU_BASE + S.MODE, now, true);
      const found = find(BigInt(linear)) !== 0;
      assertEquals(state.getInt32(ARENA_BASE + HEADER.MODE, true), found ? now : then);
      return found;
    },
  };
}

for (const linear of [0x804_8010, 0xffff_f010, 2 ** 40 + 0x10, -(2 ** 31) + 0x10]) {
  Deno.test(`CodePlaces: blocks are found again where their page stays, at ${linear.toString(16)}`, () => {
    const { places, isThere } = setUp(), frame = 0x600_5000;
    places.found(linear, frame, mode(3));
    assertEquals(isThere(linear, 20, mode(3), mode(4)), false);
    places.found(linear, frame + 0x123, mode(5));
    for (const epoch of [3, 4, 5]) assertEquals(isThere(linear, 20, mode(epoch), mode(5)), true);
    // Older than what is known of the page, of another mode, in another page, or partly in the next one.
    assertEquals(isThere(linear, 20, mode(2), mode(5)), false);
    assertEquals(isThere(linear, 20, mode(4) ^ 0x20, mode(5)), false);
    assertEquals(isThere(linear + 0x1000, 20, mode(4), mode(5)), false);
    assertEquals(isThere(linear, 0xff0, mode(4), mode(5)), true);
    assertEquals(isThere(linear, 0xff1, mode(4), mode(5)), false);
    // Asked for once more, in another frame for a while, forgotten.
    places.forget(linear);
    assertEquals(isThere(linear, 20, mode(4), mode(5)), false);
    places.found(linear, frame, mode(5));
    assertEquals(isThere(linear, 20, mode(4), mode(5)), true);
    places.found(linear, frame + 0x1000, mode(6));
    places.found(linear, frame, mode(7));
    assertEquals([5, 6, 7].map((epoch) => isThere(linear, 20, mode(epoch), mode(7))), [false, false, true]);
    places.clear();
    assertEquals(isThere(linear, 20, mode(7), mode(7)), false);
  });
}

Deno.test("CodePlaces: epochs are counted without sign", () => {
  const { places, isThere } = setUp();
  places.found(0x1000, 0, mode(0x7fffff));
  places.found(0x1000, 0, mode(0x800000));
  assertEquals(isThere(0x1000, 4, mode(0x7fffff), mode(0x800000)), true);
  assertEquals(isThere(0x1000, 4, mode(0x7ffffe), mode(0x800000)), false);
});
