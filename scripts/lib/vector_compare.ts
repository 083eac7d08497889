/** Compares what a processor did with what a vector says, under the vectors' rules for what is undefined or approximate. */
import { R } from "../../lib/cpu/state.ts";
import {
  CASE_FLAGS,
  CODE_BASE,
  DATA_BASE,
  type ProcessorState,
  RECORDED,
  REGISTERS_32,
  REGISTERS_64,
  type VectorCase,
} from "./vectors.ts";

/** What a processor did with one instruction. */
export interface Outcome {
  state: ProcessorState;
  /** The exception that it raised, "" for none. */
  exception: string;
}

/** Tolerance of x87 transcendentals in units of the last place. */
const X87_ULPS = 2n;
/** Tolerance of RCPPS and RSQRTPS. Intel SDM vol. 2, RCPPS. */
const RCP_ERROR = 1.5 / 4096;
/**
 * C1 says which way the last result was rounded. Of a transcendental it tells on which side of the result the processor's
 * own approximation lay, which is as free as the approximation, even where both round to the same value.
 */
const FSW_C1 = 0x200;

const FLAG_NAMES: readonly [number, string][] = [
  [0x800, "OF"],
  [0x400, "DF"],
  [0x80, "SF"],
  [0x40, "ZF"],
  [0x10, "AF"],
  [4, "PF"],
  [1, "CF"],
];

function flagText(flags: number): string {
  return FLAG_NAMES.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name).join(" ") || "none";
}

function hex(value: number | bigint, digits = 0): string {
  return value.toString(16).padStart(digits, "0");
}

const SIGN = 1n << 79n, SIGNIFICAND = (1n << 64n) - 1n, INTEGER_BIT = 1n << 63n;

/** Position of a finite 80-bit magnitude among all of them: neighbours differ by one. */
function rank(value: bigint): bigint {
  const exponent = value >> 64n & 0x7fffn, significand = value & SIGNIFICAND;
  return exponent === 0n ? significand : (exponent - 1n) * INTEGER_BIT + significand;
}

/** Whether two 80-bit values are equal up to {@link X87_ULPS}; infinities and NaNs must be equal. */
export function closeExtended(a: bigint, b: bigint): boolean {
  if (a === b) return true;
  if ((a & SIGN) !== (b & SIGN)) return false;
  const special = (value: bigint) => (value >> 64n & 0x7fffn) === 0x7fffn;
  if (special(a) || special(b)) return false;
  const distance = rank(a) - rank(b);
  return distance <= X87_ULPS && -distance <= X87_ULPS;
}

const scratch = new DataView(new ArrayBuffer(4));

function singleOf(bits: number): number {
  scratch.setUint32(0, bits);
  return scratch.getFloat32(0);
}

/**
 * Whether two registers of four singles are equal lane by lane up to {@link RCP_ERROR}; zeros, infinities and NaNs must
 * be equal.
 */
export function closeSingles(a: bigint, b: bigint): boolean {
  for (let lane = 0n; lane < 128n; lane += 32n) {
    const x = Number(a >> lane & 0xffffffffn), y = Number(b >> lane & 0xffffffffn);
    if (x === y) continue;
    const left = singleOf(x), right = singleOf(y);
    if (!Number.isFinite(left) || !Number.isFinite(right) || right === 0) return false;
    if (!(Math.abs(left / right - 1) <= RCP_ERROR)) return false;
  }
  return true;
}

/** What was pushed to a stack outside of the recorded part of memory is not in the case: takes it over from the outcome. */
function withUnrecordedStack(test: VectorCase, actual: Uint8Array): Uint8Array {
  const address = (state: ProcessorState) => Number(BigInt.asUintN(test.codeSize === 16 ? 16 : 32, state.gpr[R.SP]));
  const base = test.codeSize === 16 ? 0 : DATA_BASE;
  const top = address(test.before) - base, bottom = address(test.after) - base;
  if (bottom >= top || bottom < 0 || top > actual.length) return test.after.data;
  if (bottom < RECORDED.END && top > RECORDED.START) return test.after.data;
  const expected = test.after.data.slice();
  expected.set(actual.subarray(bottom, top), bottom);
  return expected;
}

function comparePage(name: string, base: number, actual: Uint8Array, expected: Uint8Array, out: string[]): void {
  for (let i = 0; i < expected.length; i++) {
    if (actual[i] === expected[i]) continue;
    let end = i + 1;
    while (end < expected.length && end < i + 16 && actual[end] !== expected[end]) end++;
    out.push(
      `${name} ${hex(base + i)}: ${actual.slice(i, end).toHex()}, should be ${expected.slice(i, end).toHex()}`,
    );
    i = end;
  }
}

function compareX87(test: VectorCase, actual: ProcessorState, out: string[]): void {
  const expected = test.after;
  const rounding = test.approximation === "x87" ? FSW_C1 : 0;
  for (let i = 0; i < 8; i++) {
    if (actual.st[i] === expected.st[i]) continue;
    if (test.approximation === "x87" && closeExtended(actual.st[i], expected.st[i])) continue;
    out.push(`st(${i}): ${hex(actual.st[i], 20)}, should be ${hex(expected.st[i], 20)}`);
  }
  if (actual.fcw !== expected.fcw) out.push(`fcw: ${hex(actual.fcw)}, should be ${hex(expected.fcw)}`);
  if (((actual.fsw ^ expected.fsw) & ~test.undefinedFsw & ~rounding) !== 0) {
    const mask = test.undefinedFsw === 0 ? "" : ` (undefined: ${hex(test.undefinedFsw)})`;
    out.push(`fsw: ${hex(actual.fsw)}, should be ${hex(expected.fsw)}${mask}`);
  }
  if (actual.ftw !== expected.ftw) out.push(`ftw: ${hex(actual.ftw)}, should be ${hex(expected.ftw)}`);
}

function compareFloating(test: VectorCase, actual: ProcessorState, out: string[]): void {
  const expected = test.after;
  if (test.x87) compareX87(test, actual, out);
  if (actual.mxcsr !== expected.mxcsr) out.push(`mxcsr: ${hex(actual.mxcsr)}, should be ${hex(expected.mxcsr)}`);
  for (let i = 0; i < expected.xmm.length; i++) {
    if (actual.xmm[i] === expected.xmm[i]) continue;
    if (test.approximation === "rcp" && closeSingles(actual.xmm[i], expected.xmm[i])) continue;
    out.push(`xmm${i}: ${hex(actual.xmm[i], 32)}, should be ${hex(expected.xmm[i], 32)}`);
  }
}

/** The differences between what a processor did and what it should have done, one line each; none if it passed. */
export function compare(test: VectorCase, outcome: Outcome): string[] {
  const out: string[] = [], actual = outcome.state, expected = test.after;
  if (outcome.exception !== test.exception) {
    out.push(`exception: ${outcome.exception || "none"}, should be ${test.exception || "none"}`);
  }
  const names = test.codeSize === 64 ? REGISTERS_64 : REGISTERS_32;
  for (let i = 0; i < expected.gpr.length; i++) {
    if (actual.gpr[i] !== expected.gpr[i]) {
      out.push(`${names[i]}: ${hex(actual.gpr[i])}, should be ${hex(expected.gpr[i])}`);
    }
  }
  if (((actual.flags ^ expected.flags) & CASE_FLAGS & ~test.undefinedFlags) !== 0) {
    const mask = test.undefinedFlags === 0 ? "" : ` (undefined: ${flagText(test.undefinedFlags)})`;
    out.push(`flags: ${flagText(actual.flags)}, should be ${flagText(expected.flags)}${mask}`);
  }
  if (actual.ip !== expected.ip) out.push(`ip: ${hex(actual.ip)}, should be ${hex(expected.ip)}`);
  if (test.floating) compareFloating(test, actual, out);
  comparePage("memory", DATA_BASE, actual.data, withUnrecordedStack(test, actual.data), out);
  comparePage("code", CODE_BASE, actual.code, expected.code, out);
  return out;
}
