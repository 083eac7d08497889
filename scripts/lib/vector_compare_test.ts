import { assert, assertEquals, assertThrows } from "@std/assert";
import { closeExtended, closeSingles, compare, type Outcome } from "./vector_compare.ts";
import { CODE_OFFSET, globExpression, parseCase, selects, type VectorCase } from "./vectors.ts";

const GPR = { eax: "1", ecx: "2", edx: "3", ebx: "4", esp: "20880", ebp: "208a0", esi: "5", edi: "6", flags: "0" };
const ST = ["3fff8000000000000000", ...new Array<string>(7).fill("00000000000000000000")];
const FLOATING = { fcw: "37f", fsw: "3800", ftw: "80", st: ST, mxcsr: "1f80", xmm: new Array(8).fill("0".repeat(32)) };

function caseOf(fields: Record<string, unknown>): VectorCase {
  return parseCase(JSON.stringify({ code: "90", in: GPR, out: {}, ...fields }), 32);
}

/** The outcome of a processor that does exactly what the case says. */
function perfect(test: VectorCase): Outcome {
  return { state: structuredClone(test.after), exception: test.exception };
}

Deno.test("parseCase: bytes not listed are zero, the code is followed by INT3, registers not listed stay", () => {
  const test = caseOf({ in: { ...GPR, mem: [["10", "aabb"]] }, out: { eax: "9", mem: [["11", "cc"]], ip: "120" } });
  assertEquals(test.before.data.slice(0xf, 0x13).toHex(), "00aabb00");
  assertEquals(test.after.data.slice(0xf, 0x13).toHex(), "00aacc00");
  assertEquals(test.before.code.slice(CODE_OFFSET, CODE_OFFSET + 3).toHex(), "90cccc");
  assertEquals([test.before.gpr[0], test.after.gpr[0], test.after.gpr[1]], [1n, 9n, 2n]);
  assertEquals([test.before.ip, test.after.ip], [0x100, 0x120]);
  assertEquals(caseOf({}).after.ip, 0x101);
});

Deno.test("parseCase: `out.xmm` names the changed registers only", () => {
  const test = caseOf({ in: { ...GPR, ...FLOATING }, out: { xmm: { "3": "0".repeat(31) + "7" } } });
  assertEquals(test.after.xmm.map(Number), [0, 0, 0, 7, 0, 0, 0, 0]);
  assert(test.floating);
  assert(!caseOf({}).floating);
});

Deno.test("parseCase: refuses an unknown approximation", () => {
  assertThrows(() => caseOf({ approx: "guess" }), TypeError, "guess");
});

Deno.test("compare: a perfect processor passes", () => {
  for (const fields of [{}, { in: { ...GPR, ...FLOATING } }, { exc: "#DE" }]) {
    const test = caseOf(fields);
    assertEquals(compare(test, perfect(test)), []);
  }
});

Deno.test("compare: finds every kind of difference", () => {
  const test = caseOf({ in: { ...GPR, ...FLOATING } });
  const changes: ((outcome: Outcome) => void)[] = [
    (o) => o.state.gpr[4]++,
    (o) => o.state.flags = 1,
    (o) => o.state.ip++,
    (o) => o.exception = "#UD",
    (o) => o.state.data[0xfff] = 1,
    (o) => o.state.code[0] = 1,
    (o) => o.state.st[7] = 1n,
    (o) => o.state.fsw ^= 1,
    (o) => o.state.fcw ^= 1,
    (o) => o.state.ftw ^= 1,
    (o) => o.state.mxcsr ^= 1,
    (o) => o.state.xmm[7] = 1n << 127n,
  ];
  for (const change of changes) {
    const outcome = perfect(test);
    change(outcome);
    assertEquals(compare(test, outcome).length, 1, change.toString());
  }
});

Deno.test("compare: undefined flags and status bits do not count, others do", () => {
  const test = caseOf({ in: { ...GPR, ...FLOATING }, undef: "810", undefFsw: "4500" });
  const outcome = perfect(test);
  outcome.state.flags ^= 0x810;
  outcome.state.fsw ^= 0x4500;
  assertEquals(compare(test, outcome), []);
  outcome.state.flags ^= 0x40;
  outcome.state.fsw ^= 0x20;
  assertEquals(compare(test, outcome).length, 2);
});

Deno.test("compare: flags that cases do not hold are left out", () => {
  const test = caseOf({}), outcome = perfect(test);
  outcome.state.flags |= 0x202;
  assertEquals(compare(test, outcome), []);
});

Deno.test("compare: with an exception everything else must be as before", () => {
  const test = caseOf({ exc: "#DE", undef: "8d5" }), outcome = perfect(test);
  assertEquals(test.after.ip, CODE_OFFSET);
  outcome.state.gpr[0] = 2n;
  assertEquals(compare(test, outcome), ["eax: 2, should be 1"]);
});

Deno.test("compare: pushes to a stack outside of the recorded memory are not compared, all else there is", () => {
  const test = caseOf({ in: { ...GPR, esp: "202a4" }, out: { esp: "202a2" } }), outcome = perfect(test);
  outcome.state.data.set([0xfe, 0xc7], 0x2a2);
  assertEquals(compare(test, outcome), []);
  outcome.state.data[0x2a1] = 1;
  assertEquals(compare(test, outcome), ["memory 202a1: 01, should be 00"]);
  const usual = caseOf({ out: { esp: "2087c", mem: [["87c", "11"]] } }), wrong = perfect(usual);
  wrong.state.data[0x87c] = 0x12;
  assertEquals(compare(usual, wrong), ["memory 2087c: 12, should be 11"]);
});

Deno.test("compare: 2 units in the last place and any C1 for transcendentals only", () => {
  const test = caseOf({ in: { ...GPR, ...FLOATING }, approx: "x87" }), outcome = perfect(test);
  outcome.state.st[0] += 2n;
  outcome.state.fsw ^= 0x200;
  assertEquals(compare(test, outcome), []);
  assertEquals(compare({ ...test, approximation: "" }, outcome).length, 2);
  outcome.state.st[0] += 1n;
  assertEquals(compare(test, outcome).length, 1);
});

Deno.test("closeExtended: counts across powers of two and denormals, never across signs or into infinity", () => {
  assert(closeExtended(0x3fff_8000000000000000n, 0x3ffe_ffffffffffffffffn));
  assert(closeExtended(0x3fff_8000000000000001n, 0x3ffe_ffffffffffffffffn));
  assert(!closeExtended(0x3fff_8000000000000002n, 0x3ffe_ffffffffffffffffn));
  assert(closeExtended(0x0001_8000000000000000n, 0x0000_7fffffffffffffffn));
  assert(!closeExtended(0x3fff_8000000000000000n, 0xbfff_8000000000000000n));
  assert(!closeExtended(0x7fff_8000000000000000n, 0x7ffe_ffffffffffffffffn));
  assert(!closeExtended(0x7fff_c000000000000000n, 0x7fff_c000000000000001n));
});

Deno.test("closeSingles: relative error of 1.5/4096 in each lane, special values exactly", () => {
  const one = 0x3f800000n;
  assert(closeSingles(one, one + 0x800n));
  assert(!closeSingles(one, one + 0x1000n));
  assert(closeSingles(one << 96n, one + 0x100n << 96n));
  assert(!closeSingles(0x7f800000n, 0x7f7fffffn));
  assert(!closeSingles(0n, 1n));
  assert(!closeSingles(one, one | 0x80000000n));
});

Deno.test("selects: matches the name, or folder and name if the pattern has a slash", () => {
  const file = { path: "/v/16/base-80.ndjson.gz", name: "16/base-80", codeSize: 16 as const };
  assert(selects("base-*", file));
  assert(selects("base-8?", file));
  assert(selects("16/*", file));
  assert(!selects("32/*", file));
  assert(!selects("base", file));
  assert(!selects("0f*", file));
  assert(globExpression("a.b").test("a.b") && !globExpression("a.b").test("axb"));
});
