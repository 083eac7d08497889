/** RDRAND and RDSEED. Intel SDM vol. 2. */
import { S } from "../state.ts";
import { define } from "./registry.ts";

define("rdrand rdseed", (e) => {
  e.helper("draw_random");
  e.write(0, e.state(S.SCRATCH, e.size === 64 ? "i64" : "i32"));
  const none = e.i32(0);
  e.setFlags({ CF: e.i32(1), PF: none, AF: none, ZF: none, SF: none, OF: none });
});
