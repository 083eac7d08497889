/** Data movement between registers, memory and constants. Intel SDM vol. 2. */
import { R, Vector } from "../state.ts";
import { byteSwap, conditional, conditionOf, NAMED_SEGMENT, toOffset, toSize } from "./operands.ts";
import { define } from "./registry.ts";

define("mov movnti", (e) => e.write(0, e.read(1)));
define("movzx", (e) => e.write(0, toSize(e.read(1), e.size)));
define("movsx movsxd", (e) => e.write(0, e.readSigned(1)));
define("movbe", (e) => e.write(0, byteSwap(e, e.read(1), e.sizeOf(1) as 16 | 32 | 64)));
define("lea", (e) => e.write(0, toSize(e.address(1), e.size)));

define("xchg", (e) => {
  const place = e.open(0), other = e.read(1);
  e.write(1, place.value);
  place.set(other);
});

define("cmpxchg", (e) => {
  const size = e.size;
  const accumulator = e.register(R.AX, size), source = e.read(1), place = e.open(0), old = place.value;
  const result = e.let(accumulator.sub(old)), equal = e.let(old.eq(accumulator));
  // Memory is written in any case.
  if (e.isMemory(0)) place.set(e.select(equal, source, old));
  e.if(equal, () => {
    if (!e.isMemory(0)) place.set(source);
  }, () => e.setRegister(R.AX, size, old));
  e.flagsSub(accumulator, old, result);
});

define("cmpxchg8b", (e) => {
  const place = e.openMemory(e.segment(0), e.address(0), 64), old = place.value;
  const pair = (high: number, low: number) =>
    e.let(e.register(high, 32).extendU().shl(32).or(e.register(low, 32).extendU()));
  const equal = e.let(old.eq(pair(R.DX, R.AX)));
  place.set(e.select(equal, pair(R.CX, R.BX), old));
  e.if(equal.eqz(), () => {
    e.setRegister(R.AX, 32, old.wrap());
    e.setRegister(R.DX, 32, old.shrU(32).wrap());
  });
  e.setFlags({ ZF: equal });
});

define("cmpxchg16b", (e) => {
  const segment = e.segment(0), offset = e.address(0);
  const [low, high] = e.load128(segment, offset, true);
  const equal = e.let(low.eq(e.register(R.AX, 64)).and(high.eq(e.register(R.DX, 64))));
  const newLow = e.select(equal, e.register(R.BX, 64), low);
  const newHigh = e.select(equal, e.register(R.CX, 64), high);
  e.store128(segment, offset, newLow, newHigh, true);
  e.if(equal.eqz(), () => {
    e.setRegister(R.AX, 64, low);
    e.setRegister(R.DX, 64, high);
  });
  e.setFlags({ ZF: equal });
});

define(conditional("cmov"), (e, mnemonic) => {
  const source = e.read(1);
  e.write(0, e.select(e.condition(conditionOf(mnemonic, "cmov")), source, e.read(0)));
});

define(conditional("set"), (e, mnemonic) => e.write(0, e.condition(conditionOf(mnemonic, "set"))));

define("xlat", (e) => {
  const table = e.register(R.BX, e.instruction.addressSize);
  const index = e.register(R.AX, 8);
  const sum = table.add(table.type === "i64" ? index.extendU() : index).zeroExtend(e.instruction.addressSize);
  e.setRegister(R.AX, 8, e.load(NAMED_SEGMENT, e.let(toOffset(e, sum)), 8));
});

/** CBW, CWDE, CDQE. */
define("cbw", (e) => {
  const size = e.instruction.operandSize;
  const half = size === 64 ? 32 : size === 32 ? 16 : 8;
  const value = e.register(R.AX, half).signExtend(half);
  e.setRegister(R.AX, size, size === 64 ? value.extendS() : value);
});

/** CWD, CDQ, CQO. */
define("cwd", (e) => {
  const size = e.instruction.operandSize;
  e.setRegister(R.DX, size, e.register(R.AX, size).signExtend(size).shrS(size === 64 ? 63 : 31));
});

/** A far pointer from memory: the segment register first, because its load can fault. */
const FAR_LOADS = { les: 0, lss: 2, lds: 3, lfs: 4, lgs: 5 } as const;
for (const [mnemonic, segment] of Object.entries(FAR_LOADS)) {
  define(mnemonic, (e) => {
    const memory = e.segment(1), at = e.address(1), size = e.size;
    const offset = e.load(memory, at, size);
    const selector = e.load(memory, e.let(e.advance(at, size / 8)), 16);
    e.helper("load_far_segment", e.i32(segment), selector);
    e.write(0, offset);
  }, "exit");
}

/** The index is signed; both bounds are inclusive. */
define("bound", (e) => {
  const memory = e.segment(1), at = e.address(1), size = e.size;
  const index = e.readSigned(0, 32);
  const lower = e.load(memory, at, size).signExtend(size);
  const upper = e.load(memory, e.let(e.advance(at, size / 8)), size).signExtend(size);
  e.raiseIf(index.ltS(lower).or(index.gtS(upper)), Vector.BR);
});

define("lahf", (e) => e.setRegister(R.AX, 8, e.eflags().and(0xd5).or(2), true));
define("sahf", (e) => {
  const image = e.register(R.AX, 8, true).and(0xd5);
  e.setArithmeticFlags(e.let(image.or(e.flag("OF").shl(11))));
});
define("salc", (e) => e.setRegister(R.AX, 8, e.i32(0).sub(e.flag("CF"))));
