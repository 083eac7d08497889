/** AES-NI and PCLMULQDQ. Intel SDM vol. 2, AES… and PCLMULQDQ. */
import { beginSse } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { pointer } from "./vectors.ts";

define("aesenc aesenclast aesdec aesdeclast aesimc", (e, mnemonic) => {
  beginSse(e);
  e.kernel(mnemonic, e.registerAddress(0), e.let(pointer(e, 1, 16)));
});

define("aeskeygenassist pclmulqdq", (e, mnemonic) => {
  beginSse(e);
  e.kernel(mnemonic, e.registerAddress(0), e.let(pointer(e, 1, 16)), e.let(e.read(2).wrap()));
});
