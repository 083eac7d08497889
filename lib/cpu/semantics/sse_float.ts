/** SSE and SSE2 floating-point instructions; the numbers are made in the kernels. Intel SDM vol. 2. */
import type { Emitter } from "../emit/emitter.ts";
import { S } from "../state.ts";
import { beginMmx, beginSse, raiseSimdError } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { checkedKernel, enterMmx, pointer } from "./vectors.ts";

/** The four shapes of an instruction by its suffix: bytes of one lane and of all lanes. */
const SHAPES = {
  ps: { lane: 4, bytes: 16 },
  pd: { lane: 8, bytes: 16 },
  ss: { lane: 4, bytes: 4 },
  sd: { lane: 8, bytes: 8 },
} as const;

/** Operations as the kernels number them. */
const ARITHMETIC = { add: 0, mul: 1, sub: 2, min: 3, div: 4, max: 5, sqrt: 6 };

for (const [suffix, { lane, bytes }] of Object.entries(SHAPES)) {
  const kernel = lane === 4 ? "sse_arithmetic32" : "sse_arithmetic64";
  for (const [name, operation] of Object.entries(ARITHMETIC)) {
    define(`${name}${suffix}`, (e) => {
      beginSse(e);
      const source = e.let(pointer(e, 1, bytes));
      checkedKernel(e, kernel, e.i32(operation), e.registerAddress(0), source, e.i32(bytes));
    });
  }
  define(`cmp${suffix}`, (e) => {
    beginSse(e);
    const source = e.let(pointer(e, 1, bytes)), predicate = e.let(e.read(2).wrap());
    checkedKernel(e, "sse_compare", predicate, e.registerAddress(0), source, e.i32(lane), e.i32(bytes));
  });
}

/** HADD and HSUB; ADDSUB. */
for (const [suffix, wide] of [["ps", 0], ["pd", 1]] as const) {
  for (const [name, operation] of [["hadd", ARITHMETIC.add], ["hsub", ARITHMETIC.sub]] as const) {
    define(`${name}${suffix}`, (e) => {
      beginSse(e);
      const source = e.let(pointer(e, 1, 16));
      checkedKernel(e, "sse_horizontal", e.i32(operation), e.registerAddress(0), source, e.i32(wide));
    });
  }
  define(`addsub${suffix}`, (e) => {
    beginSse(e);
    const source = e.let(pointer(e, 1, 16));
    checkedKernel(e, "sse_addsub", e.registerAddress(0), source, e.i32(wide));
  });
}

/** COMISS, COMISD and the quiet ones: the answer in EFLAGS. */
define("comiss comisd ucomiss ucomisd", (e, mnemonic) => {
  beginSse(e);
  const wide = mnemonic.endsWith("sd"), quiet = mnemonic.startsWith("u");
  const source = e.let(pointer(e, 1, wide ? 8 : 4));
  const image = e.kernel(
    "sse_comi",
    e.base(),
    e.i32(quiet ? 1 : 0),
    e.registerAddress(0),
    source,
    e.i32(wide ? 1 : 0),
  );
  e.if(image.eq(-1), () => raiseSimdError(e));
  e.setArithmeticFlags(image);
});

/** Conversions between the two precisions. */
const WIDEN = { cvtps2pd: 8, cvtss2sd: 4 } as const, NARROW = { cvtpd2ps: 16, cvtsd2ss: 8 } as const;
for (const [mnemonic, bytes] of Object.entries(WIDEN)) {
  define(mnemonic, (e) => {
    beginSse(e);
    const source = e.let(pointer(e, 1, bytes));
    checkedKernel(e, "sse_widen", e.registerAddress(0), source, e.i32(bytes / 4));
  });
}
for (const [mnemonic, bytes] of Object.entries(NARROW)) {
  define(mnemonic, (e) => {
    beginSse(e);
    const source = e.let(pointer(e, 1, bytes));
    checkedKernel(e, "sse_narrow", e.registerAddress(0), source, e.i32(bytes / 8));
  });
}

define("cvtsi2ss cvtsi2sd", (e, mnemonic) => {
  beginSse(e);
  const wide = mnemonic.endsWith("sd") ? 1 : 0;
  const value = e.let(e.read(1).extendS());
  e.vectorsInMemory();
  checkedKernel(e, "sse_from_integer", e.registerAddress(0), value, e.i32(wide));
});

define("cvtss2si cvtsd2si cvttss2si cvttsd2si", (e, mnemonic) => {
  beginSse(e);
  const wide = mnemonic.includes("sd2"), size = e.sizeOf(0);
  const source = e.let(pointer(e, 1, wide ? 8 : 4)), truncate = mnemonic.startsWith("cvtt");
  checkedKernel(e, "sse_to_integer", source, e.i32(wide ? 1 : 0), e.i32(size), e.i32(truncate ? 1 : 0));
  const result = e.state(S.KERNEL + 0x40, "i64");
  e.write(0, size === 64 ? result : result.wrap());
});

define("cvtdq2ps", (e) => {
  beginSse(e);
  const source = e.let(pointer(e, 1, 16));
  checkedKernel(e, "sse_from_words32", e.registerAddress(0), source, e.i32(4));
});
define("cvtdq2pd", (e) => {
  beginSse(e);
  const source = e.let(pointer(e, 1, 8));
  checkedKernel(e, "sse_from_words64", e.registerAddress(0), source);
});
define("cvtps2dq cvttps2dq", (e, mnemonic) => {
  beginSse(e);
  const source = e.let(pointer(e, 1, 16)), truncate = mnemonic === "cvttps2dq" ? 1 : 0;
  checkedKernel(e, "sse_to_words32", e.registerAddress(0), source, e.i32(4), e.i32(truncate));
});
define("cvtpd2dq cvttpd2dq", (e, mnemonic) => {
  beginSse(e);
  const source = e.let(pointer(e, 1, 16)), truncate = mnemonic === "cvttpd2dq" ? 1 : 0;
  checkedKernel(e, "sse_to_words64", e.registerAddress(0), source, e.i32(16), e.i32(truncate));
});

// ---- with MMX registers

/** CVTPI2PS and CVTPI2PD: only a register source switches the x87 unit to MMX. */
function fromMmx(e: Emitter, kernel: string, lanes: number[]): void {
  beginSse(e);
  if (!e.isMemory(1)) beginMmx(e);
  const source = e.let(pointer(e, 1, 8));
  if (!e.isMemory(1)) enterMmx(e);
  checkedKernel(e, kernel, e.registerAddress(0), source, ...lanes.map((n) => e.i32(n)));
}
define("cvtpi2ps", (e) => fromMmx(e, "sse_from_words32", [2]));
define("cvtpi2pd", (e) => fromMmx(e, "sse_from_words64", []));

/** Conversions into an MMX register: kernel, bytes of the source, and the kernel's count. */
const TO_MMX = {
  cvtps2pi: ["sse_to_words32", 8, 2],
  cvttps2pi: ["sse_to_words32", 8, 2],
  cvtpd2pi: ["sse_to_words64", 16, 8],
  cvttpd2pi: ["sse_to_words64", 16, 8],
} as const;
for (const [mnemonic, [kernel, bytes, count]] of Object.entries(TO_MMX)) {
  define(mnemonic, (e) => {
    beginSse(e);
    beginMmx(e);
    const source = e.let(pointer(e, 1, bytes)), truncate = mnemonic.startsWith("cvtt") ? 1 : 0;
    checkedKernel(e, kernel, e.registerAddress(0), source, e.i32(count), e.i32(truncate));
    enterMmx(e);
    e.setRegisterHalf(0, 1, e.i64(0xffff));
  });
}

// ---- approximations

define("rcpps rcpss rsqrtps rsqrtss", (e, mnemonic) => {
  beginSse(e);
  const bytes = mnemonic.endsWith("ps") ? 16 : 4, source = e.let(pointer(e, 1, bytes));
  const root = e.i32(mnemonic.startsWith("rsqrt") ? 1 : 0);
  e.kernel("sse_approximate", root, e.registerAddress(0), source, e.i32(bytes));
});

/** SSE4.1 rounding. */
for (const [suffix, { lane, bytes }] of Object.entries(SHAPES)) {
  define(`round${suffix}`, (e) => {
    beginSse(e);
    const source = e.let(pointer(e, 1, bytes)), control = e.let(e.read(2).wrap());
    checkedKernel(e, "sse_round", control, e.registerAddress(0), source, e.i32(lane), e.i32(bytes));
  });
}
