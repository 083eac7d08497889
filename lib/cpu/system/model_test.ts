import { assert, assertEquals, assertThrows } from "@std/assert";
import { opcodeTable } from "../decode/table.ts";
import { newInstruction } from "../decode/mod.ts";
import { decoderFor } from "../model_decoder.ts";
import { Flag, R, S } from "../state.ts";
import { testBoard } from "../test_board.ts";
import { cpuid } from "./cpuid.ts";
import { FEATURE_NAMES, featureNamed, FEATURES } from "./feature_table.ts";
import { cpuModelOf, defaultCpuModel, MODEL_NAMES, parseCpuModel, UnknownCpuError } from "./model.ts";

Deno.test("parseCpuModel: a model, with more or fewer features in any common spelling", () => {
  assertEquals(parseCpuModel("x86-64-v2"), defaultCpuModel);
  const model = parseCpuModel("x86-64-v2,+aes,-SSE4_2,+sha-ni");
  assert(model.features.has("aes") && model.features.has("sha") && model.features.has("sse4.1"));
  assert(!model.features.has("sse4.2"));
  assertEquals(parseCpuModel("+aes").features, parseCpuModel("X86-64-v2, +aes").features);
  for (const name of MODEL_NAMES) {
    assertEquals(cpuModelOf(name, [...parseCpuModel(name).features]), parseCpuModel(name));
  }
});

Deno.test("parseCpuModel: unknown names and features that cannot be alone are refused", () => {
  assertThrows(() => parseCpuModel("x86-64-v9"), UnknownCpuError, 'no processor model "x86-64-v9"; known are i486,');
  assertThrows(() => parseCpuModel("i486,+avx2"), UnknownCpuError, 'no processor feature "avx2"');
  assertThrows(() => parseCpuModel("i486,aes"), RangeError, '"+aes" or "-aes"');
  assertThrows(() => parseCpuModel("x86-64-v2,-sse3"), RangeError, '"ssse3" needs "sse3"');
  assertThrows(() => parseCpuModel("i486,-fpu"), RangeError, "every processor");
  assertThrows(() => cpuModelOf("i486", ["fpu", "warp"]), UnknownCpuError, '"warp"');
});

Deno.test("models: no feature lacks what it builds on, and no two share a bit", () => {
  const bits = new Set<string>();
  for (const name of FEATURE_NAMES) {
    const { word, bit, needs } = FEATURES[name];
    for (const needed of needs) assert(featureNamed(needed) === needed, `${name} needs ${needed}`);
    if (word === "none") continue;
    assert(!bits.has(`${word}:${bit}`), name);
    bits.add(`${word}:${bit}`);
  }
  for (const name of MODEL_NAMES) parseCpuModel(name);
});

/** EAX, EBX, ECX, EDX of a leaf on a processor. */
function leafOf(text: string): (leaf: number, subleaf?: number) => number[] {
  const { cpu } = testBoard({ cpuModel: parseCpuModel(text) });
  return (leaf, subleaf = 0) => {
    cpu.r.set32(R.AX, leaf);
    cpu.r.set32(R.CX, subleaf);
    cpuid(cpu);
    return [R.AX, R.BX, R.CX, R.DX].map((register) => cpu.r.get32(register));
  };
}

Deno.test("CPUID: the default is x86-64-v2 with NX, no more", () => {
  const leaf = leafOf("x86-64-v2");
  assertEquals(leaf(0)[0], 7);
  // SPEC_CTRL and ARCH_CAPABILITIES, which are no instructions; the highest subleaf has BHI_CTRL.
  assertEquals([leaf(7), leaf(7, 2)], [[2, 0, 0, (1 << 26 | 1 << 29) >>> 0], [0, 0, 0, 1 << 4]]);
  // SSE3 SSSE3 CX16 SSE4.1 SSE4.2 POPCNT, and TSC-DEADLINE, which is no instruction.
  assertEquals(leaf(1)[2], 1 << 0 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 23 | 1 << 24);
  assertEquals(leaf(0x8000_0001).slice(2), [1, 1 << 11 | 1 << 20 | 1 << 29]);
  assertEquals(leaf(0x8000_0008)[0], 48 << 8 | 36);
});

Deno.test("CPUID: old models have no extended leaves, and the highest leaf grows with the features", () => {
  const old = leafOf("i486");
  assertEquals(old(0)[0], 1);
  assertEquals(old(1), [0x480, 0, 0, 3]);
  assertEquals(old(0x8000_0000), old(1), "the highest basic leaf instead");
  assertEquals(leafOf("pentium3")(0x8000_0000), leafOf("pentium3")(2));
  const extended = leafOf("pentium3,+nx");
  assertEquals([extended(0x8000_0000)[0], extended(0x8000_0001)[3]], [0x8000_0001, 1 << 20]);
  const max = leafOf("max");
  assert(max(0)[0] >= 7);
  assertEquals(max(7)[1] >>> 29 & 1, 1, "SHA");
  assertEquals(max(7, 1), [0, 0, 0, 0]);
  assertEquals(max(4, 0), [0x121, 0x01c0_003f, 63, 0], "32 KiB of data cache in 8 ways");
  assertEquals(max(4, 3), [0, 0, 0, 0]);
});

/** The mnemonic that a model's decoder finds. */
function mnemonicOf(model: string, codeSize: 16 | 32 | 64, ...code: number[]): string {
  const instruction = newInstruction(), bytes = new Uint8Array(15);
  bytes.set(code);
  decoderFor(parseCpuModel(model))(bytes, 0, 15, codeSize, instruction);
  if (instruction.mnemonic === "ud") assertEquals(instruction.operands, []);
  else assertEquals(instruction.length, code.length);
  return instruction.mnemonic;
}

Deno.test("decoderFor: what the model lacks is undefined", () => {
  const cases: [string, number[], string, string][] = [
    ["cpuid", [0x0f, 0xa2], "i486", "i486,-cpuid"],
    ["cmovz", [0x0f, 0x44, 0xc1], "pentium3", "i486"],
    ["fcomi", [0xdb, 0xf1], "pentium3", "i486"],
    ["nop", [0x0f, 0x1f, 0x00], "pentium3", "i486"],
    ["rdtsc", [0x0f, 0x31], "pentium3", "i486"],
    ["sysenter", [0x0f, 0x34], "pentium3", "i486"],
    ["paddb", [0x0f, 0xfc, 0xc1], "pentium3", "i486"],
    ["paddb", [0x66, 0x0f, 0xfc, 0xc1], "x86-64", "pentium3"],
    ["pavgb", [0x0f, 0xe0, 0xc1], "pentium3", "pentium3,-sse"],
    ["paddq", [0x0f, 0xd4, 0xc1], "x86-64", "pentium3"],
    ["movq", [0x0f, 0x6f, 0xc1], "pentium3", "i486"],
    ["movq", [0xf3, 0x0f, 0x7e, 0xc1], "x86-64", "pentium3"],
    ["addps", [0x0f, 0x58, 0xc1], "pentium3", "i486"],
    ["fisttp", [0xdd, 0x08], "x86-64-v2", "x86-64"],
    ["pabsb", [0x0f, 0x38, 0x1c, 0xc1], "x86-64-v2", "x86-64"],
    ["popcnt", [0xf3, 0x0f, 0xb8, 0xc1], "x86-64-v2", "x86-64"],
    ["crc32", [0xf2, 0x0f, 0x38, 0xf1, 0xc1], "x86-64-v2", "x86-64-v2,-sse4.2"],
    ["pextrw", [0x66, 0x0f, 0x3a, 0x15, 0x00, 0], "x86-64-v2", "x86-64"],
    ["movbe", [0x0f, 0x38, 0xf0, 0x00], "max", "x86-64-v2"],
    ["aesenc", [0x66, 0x0f, 0x38, 0xdc, 0xc1], "x86-64-v2,+aes", "x86-64-v2"],
    ["adcx", [0x66, 0x0f, 0x38, 0xf6, 0xc1], "x86-64-v2,+adx", "x86-64-v2"],
    ["clflush", [0x0f, 0xae, 0x38], "x86-64", "pentium3"],
  ];
  for (const [mnemonic, code, having, lacking] of cases) {
    assertEquals([mnemonicOf(having, 32, ...code), mnemonicOf(lacking, 32, ...code)], [mnemonic, "ud"]);
  }
  assertEquals(mnemonicOf("x86-64-v2", 64, 0x9f), "lahf");
  assertEquals([mnemonicOf("x86-64", 64, 0x9f), mnemonicOf("x86-64", 32, 0x9f)], ["ud", "lahf"]);
});

Deno.test("decoderFor: LZCNT and TZCNT are scans where the model lacks them", () => {
  assertEquals(mnemonicOf("x86-64-v2", 32, 0xf3, 0x0f, 0xbd, 0xc1), "bsr");
  assertEquals(mnemonicOf("x86-64-v2,+abm", 32, 0xf3, 0x0f, 0xbd, 0xc1), "lzcnt");
  assertEquals([mnemonicOf("i486", 32, 0xf3, 0x0f, 0xbc, 0xc1), mnemonicOf("max", 32, 0xf3, 0x0f, 0xbc, 0xc1)], [
    "bsf",
    "tzcnt",
  ]);
});

/** What a 486 has behind 0F, besides what every later feature added. */
const OF_THE_486 = new Set(
  ("sldt str lldt ltr verr verw sgdt sidt lgdt lidt smsw lmsw invlpg lar lsl clts invd wbinvd mov jo jno jb jnb jz jnz jbe " +
    "jnbe js jns jp jnp jl jnl jle jnle seto setno setb setnb setz setnz setbe setnbe sets setns setp setnp setl setnl " +
    "setle setnle push pop bt shld bts shrd imul cmpxchg lss btr lfs lgs movzx btc bsf bsr movsx xadd bswap").split(
      " ",
    ),
);
/** What no processor of ours has, or what is undefined for ever. */
const UNDEFINED = new Set(
  "ud0 ud1 ud2 rsm monitor mwait xrstors xsaves rdpid".split(" "),
);

Deno.test("decoderFor: nothing behind 0F runs on a 486 that it did not have", () => {
  const table = opcodeTable(), instruction = newInstruction(), decode = decoderFor(parseCpuModel("i486,-cpuid"));
  const seen = new Set<string>();
  for (let map = 1; map < 4; map++) {
    for (let opcode = 0; opcode < 256; opcode++) {
      if (table.node(map, opcode).rules.length === 0) continue;
      for (const prefix of [[], [0x66], [0xf3], [0xf2]]) {
        for (let modrm = 0; modrm < 256; modrm++) {
          const bytes = new Uint8Array(15), escape = map === 1 ? [] : [map === 2 ? 0x38 : 0x3a];
          bytes.set([...prefix, 0x0f, ...escape, opcode, modrm]);
          decode(bytes, 0, 15, 32, instruction);
          seen.add(instruction.mnemonic);
        }
      }
    }
  }
  const extra = [...seen].filter((mnemonic) => !OF_THE_486.has(mnemonic) && !UNDEFINED.has(mnemonic));
  assertEquals(extra, ["ud"]);
});

Deno.test("models: EFLAGS.ID is there with CPUID only, VIF with the virtual-8086 extensions only", () => {
  // push 200000h; popfd; pushfd; pop eax
  const code = [0x68, 0x00, 0x00, 0x20, 0x00, 0x9d, 0x9c, 0x58];
  const flags = (model: string) => {
    const board = testBoard({ cpuModel: parseCpuModel(model) });
    board.load(0x1000, ...code);
    board.cpu.run(4);
    return board.cpu.r.get32(R.AX) & Flag.ID;
  };
  assertEquals([flags("i486"), flags("i486,-cpuid")], [Flag.ID, 0]);
  const { cpu } = testBoard({ cpuModel: parseCpuModel("i486,-vme") });
  cpu.r.eflags = Flag.VIF | Flag.AC;
  assertEquals(cpu.r.i32(S.EFLAGS), Flag.AC | 2);
});
