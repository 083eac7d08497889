/** The SHA extensions. Intel SDM vol. 2, SHA…. */
import { S } from "../state.ts";
import { beginSse } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { pointer } from "./vectors.ts";

define("sha1nexte sha1msg1 sha1msg2 sha256msg1 sha256msg2", (e, mnemonic) => {
  beginSse(e);
  e.kernel(mnemonic, e.registerAddress(0), e.let(pointer(e, 1, 16)));
});

define("sha1rnds4", (e) => {
  beginSse(e);
  e.kernel("sha1rnds4", e.registerAddress(0), e.let(pointer(e, 1, 16)), e.let(e.read(2).wrap()));
});

define("sha256rnds2", (e) => {
  beginSse(e);
  e.kernel("sha256rnds2", e.registerAddress(0), e.let(pointer(e, 1, 16)), e.base().add(S.XMM));
});
