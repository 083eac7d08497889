/** Instructions that set, clear or complement one flag. Intel SDM vol. 2. */
import { Flag, S } from "../state.ts";
import { define } from "./registry.ts";

define("clc", (e) => e.setFlags({ CF: e.i32(0) }));
define("stc", (e) => e.setFlags({ CF: e.i32(1) }));
define("cmc", (e) => e.setFlags({ CF: e.let(e.flag("CF").xor(1)) }));
define("cld", (e) => e.setState(S.EFLAGS, "i32", e.state(S.EFLAGS, "i32").and(~Flag.DF)));
define("std", (e) => e.setState(S.EFLAGS, "i32", e.state(S.EFLAGS, "i32").or(Flag.DF)));
