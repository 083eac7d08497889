/** MMX and SSE integer arithmetic, shifts and shuffles. Intel SDM vol. 2, P…. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { define } from "./registry.ts";
import { beginSse } from "./fpu_checks.ts";
import {
  beginVector,
  enterMmx,
  isMmx,
  pointer,
  read128,
  read64,
  vectorBytes,
  vectorKernel,
  writeMmx,
} from "./vectors.ts";

/** Instructions that are a {@link vectorKernel}. */
const KERNELS = [
  "paddb paddw paddd paddq paddsb paddsw paddusb paddusw",
  "psubb psubw psubd psubq psubsb psubsw psubusb psubusw",
  "pcmpeqb pcmpeqw pcmpeqd pcmpeqq pcmpgtb pcmpgtw pcmpgtd pcmpgtq",
  "pminub pmaxub pminsw pmaxsw pminsb pmaxsb pminuw pmaxuw pminsd pmaxsd pminud pmaxud",
  "pavgb pavgw pmullw pmulld pmaddwd pmuludq pmuldq pmulhw pmulhuw psadbw",
  "punpcklbw punpcklwd punpckldq punpcklqdq punpckhbw punpckhwd punpckhdq punpckhqdq",
  "packsswb packuswb packssdw packusdw",
].join(" ");

define(KERNELS, vectorKernel);

/** The unpack instructions of floating-point lanes move bits like their integer twins. */
const UNPACK_TWINS: Record<string, string> = {
  unpcklps: "punpckldq",
  unpckhps: "punpckhdq",
  unpcklpd: "punpcklqdq",
  unpckhpd: "punpckhqdq",
};
for (const [mnemonic, kernel] of Object.entries(UNPACK_TWINS)) {
  define(mnemonic, (e) => {
    beginSse(e);
    e.kernel(kernel, e.registerAddress(0), e.let(pointer(e, 1, 16)), e.i32(16));
  });
}

/** Bitwise operations, half by half. */
function bitwise(combine: (a: Value, b: Value) => Value): (e: Emitter) => void {
  return (e) => {
    beginVector(e);
    if (vectorBytes(e) === 8) {
      const source = read64(e, 1);
      enterMmx(e);
      return writeMmx(e, 0, e.let(combine(e.registerHalf(0, 0), source)));
    }
    const source = read128(e, 1);
    for (const half of [0, 1] as const) e.setRegisterHalf(0, half, combine(e.registerHalf(0, half), source[half]));
  };
}
define("pand andps andpd", bitwise((a, b) => a.and(b)));
define("pandn andnps andnpd", bitwise((a, b) => a.not().and(b)));
define("por orps orpd", bitwise((a, b) => a.or(b)));
define("pxor xorps xorpd", bitwise((a, b) => a.xor(b)));

/** Shifts as the kernel numbers them. */
const SHIFTS = { psrlw: 0, psrld: 1, psrlq: 2, psraw: 4, psrad: 5, psllw: 8, pslld: 9, psllq: 10 };
for (const [mnemonic, operation] of Object.entries(SHIFTS)) {
  define(mnemonic, (e) => {
    beginVector(e);
    const bytes = vectorBytes(e);
    let count: Value;
    if (e.isImmediate(1)) count = e.let(e.read(1).wrap().extendU());
    else count = bytes === 8 ? read64(e, 1) : read128(e, 1)[0];
    if (bytes === 8) enterMmx(e);
    e.kernel("packed_shift", e.i32(operation), e.registerAddress(0), count, e.i32(bytes));
  });
}
define("psrldq pslldq", (e, mnemonic) => {
  beginSse(e);
  const count = e.let(e.read(1).wrap());
  e.kernel("packed_byte_shift", e.i32(mnemonic === "pslldq" ? 1 : 0), e.registerAddress(0), count);
});

/** Shuffles by an immediate: kernels of the same name (destination, source, imm). */
define("pshufd pshuflw pshufhw pshufw shufps shufpd", (e, mnemonic) => {
  beginVector(e);
  const bytes = vectorBytes(e), source = e.let(pointer(e, 1, bytes));
  if (bytes === 8) enterMmx(e);
  e.kernel(mnemonic, e.registerAddress(0), source, e.let(e.read(2).wrap()));
});

define("pextrw", (e) => {
  beginVector(e);
  const mmx = isMmx(e, 1);
  const index = e.read(2).wrap().and(mmx ? 3 : 7);
  const word = e.kernel("packed_word", e.registerAddress(1), index);
  e.write(0, e.sizeOf(0) === 64 ? word.extendU() : word);
  if (mmx) enterMmx(e);
});

define("pinsrw", (e) => {
  beginVector(e);
  const mmx = isMmx(e, 0), value = e.read(1).wrap();
  if (mmx) enterMmx(e);
  e.kernel("packed_set_word", e.registerAddress(0), e.read(2).wrap().and(mmx ? 3 : 7), e.let(value));
  if (mmx) e.setRegisterHalf(0, 1, e.i64(0xffff));
});

/** Sign masks into a general register. */
function writeMask(e: Emitter, mask: Value): void {
  e.write(0, e.sizeOf(0) === 64 ? mask.extendU() : mask);
}
define("pmovmskb", (e) => {
  beginVector(e);
  const mmx = isMmx(e, 1);
  writeMask(e, e.kernel("packed_sign_mask8", e.registerAddress(1), e.i32(mmx ? 8 : 16)));
  if (mmx) enterMmx(e);
});
define("movmskps", (e) => {
  beginSse(e);
  writeMask(e, e.kernel("packed_sign_mask32", e.registerAddress(1)));
});
define("movmskpd", (e) => {
  beginSse(e);
  writeMask(e, e.kernel("packed_sign_mask64", e.registerAddress(1)));
});
