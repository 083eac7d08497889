/** Instructions without effect on a single in-order processor, and the ones that only raise an exception. Intel SDM vol. 2. */
import { Vector } from "../state.ts";
import { define } from "./registry.ts";

// Hints and fences: memory is always in program order here.
define("nop endbr32 endbr64 lfence mfence sfence", () => {});
/** What PAUSE takes since Skylake. Intel 64 and IA-32 Architectures Optimization Reference Manual, section 2.5.4. */
const PAUSE_CYCLES = 140;

// Loops that wait contain it: letting time pass here makes a busy wait cost a fraction of the instructions.
define("pause", (e) => e.stall(PAUSE_CYCLES), "jump");

define("prefetch prefetchw prefetchwt1 prefetchnta prefetcht0 prefetcht1 prefetcht2", () => {});

// There is no cache to flush, but the address is checked as for a load.
define("clflush clflushopt clwb", (e) => e.probe(e.segment(0), e.address(0), 1, false));

define("ud ud0 ud1 ud2", (e) => e.raise(Vector.UD));
// More than 15 bytes.
define("toolong", (e) => e.raise(Vector.GP, 0));
