/** Which feature an instruction came with: Intel SDM vol. 2, "CPUID Feature Flag". What is not listed a 486 has. */
import type { CodeSize, Instruction } from "../decode/instruction.ts";
import type { Feature } from "./feature_table.ts";

/** Mnemonics by feature; those of MMX that also work on SSE registers are in the tables below. */
const MNEMONICS: { readonly [name in Feature]?: string } = {
  cpuid: "cpuid",
  tsc: "rdtsc",
  msr: "rdmsr wrmsr",
  cx8: "cmpxchg8b",
  sep: "sysenter sysexit",
  cmov: "cmovo cmovno cmovb cmovnb cmovz cmovnz cmovbe cmovnbe cmovs cmovns cmovp cmovnp cmovl cmovnl cmovle cmovnle " +
    "fcmovb fcmove fcmovbe fcmovu fcmovnb fcmovne fcmovnbe fcmovnu fcomi fcomip fucomi fucomip rdpmc " +
    // Hints, which do nothing where they have no meaning yet.
    "endbr32 endbr64 prefetchnta prefetcht0 prefetcht1 prefetcht2",
  clflush: "clflush",
  mmx: "emms",
  fxsr: "fxsave fxrstor",
  sse: "movups movss movhlps movlps unpcklps unpckhps movlhps movhps movaps movntps movmskps sqrtps sqrtss rsqrtps " +
    "rsqrtss rcpps rcpss andps andnps orps xorps addps addss mulps mulss subps subss minps minss divps divss maxps maxss " +
    "cvtpi2ps cvttps2pi cvtps2pi cvtsi2ss cvttss2si cvtss2si ucomiss comiss cmpps cmpss shufps ldmxcsr stmxcsr sfence",
  sse2: "movupd movsd movlpd unpcklpd unpckhpd movhpd movapd movntpd movmskpd sqrtpd sqrtsd andpd andnpd orpd xorpd " +
    "addpd addsd mulpd mulsd subpd subsd minpd minsd divpd divsd maxpd maxsd cvtpi2pd cvttpd2pi cvtpd2pi cvtsi2sd " +
    "cvttsd2si cvtsd2si ucomisd comisd cvtps2pd cvtpd2ps cvtss2sd cvtsd2ss cvtdq2ps cvtps2dq cvttps2dq cvttpd2dq " +
    "cvtdq2pd cvtpd2dq cmppd cmpsd shufpd punpcklqdq punpckhqdq movdqa movdqu pshufd pshufhw pshuflw psrldq pslldq " +
    "movntdq maskmovdqu movnti movq2dq movdq2q lfence mfence",
  sse3: "addsubpd addsubps haddpd haddps hsubpd hsubps lddqu movddup movsldup movshdup fisttp",
  ssse3:
    "pshufb phaddw phaddd phaddsw pmaddubsw phsubw phsubd phsubsw psignb psignw psignd pmulhrsw pabsb pabsw pabsd " +
    "palignr",
  "sse4.1": "pblendvb blendvps blendvpd ptest pmovsxbw pmovsxbd pmovsxbq pmovsxwd pmovsxwq pmovsxdq pmuldq pcmpeqq " +
    "movntdqa packusdw pmovzxbw pmovzxbd pmovzxbq pmovzxwd pmovzxwq pmovzxdq pminsb pminsd pminuw pminud pmaxsb pmaxsd " +
    "pmaxuw pmaxud pmulld phminposuw roundps roundpd roundss roundsd blendps blendpd pblendw pextrb pextrd pextrq " +
    "extractps pinsrb insertps pinsrd pinsrq dpps dppd mpsadbw",
  "sse4.2": "pcmpgtq pcmpestrm pcmpestri pcmpistrm pcmpistri crc32",
  popcnt: "popcnt",
  aes: "aesenc aesenclast aesdec aesdeclast aesimc aeskeygenassist",
  pclmulqdq: "pclmulqdq",
  sha: "sha1nexte sha1msg1 sha1msg2 sha1rnds4 sha256rnds2 sha256msg1 sha256msg2",
  cx16: "cmpxchg16b",
  movbe: "movbe",
  xsave: "xsave xrstor xgetbv xsetbv",
  xsaveopt: "xsaveopt",
  xsavec: "xsavec",
  rdrand: "rdrand",
  rdseed: "rdseed",
  adx: "adcx adox",
  fsgsbase: "rdfsbase rdgsbase wrfsbase wrgsbase",
  smap: "clac stac",
  invpcid: "invpcid",
  clflushopt: "clflushopt",
  clwb: "clwb",
  lzcnt: "lzcnt",
  tzcnt: "tzcnt",
  syscall: "syscall sysret",
  rdtscp: "rdtscp",
  // In 64-bit processors prefetches for writing do nothing if they have no meaning.
  lm: "swapgs prefetch prefetchw prefetchwt1",
};

/** Instructions on MMX registers, which SSE2 has on SSE registers, by the feature that the MMX form came with. */
const MMX_FORMS: { readonly [name in Feature]?: string } = {
  mmx:
    "movd movq punpcklbw punpcklwd punpckldq punpckhbw punpckhwd punpckhdq packsswb packuswb packssdw pcmpgtb pcmpgtw " +
    "pcmpgtd pcmpeqb pcmpeqw pcmpeqd psrlw psraw psllw psrld psrad pslld psrlq psllq pmullw pmulhw pmaddwd psubusb " +
    "psubusw paddusb paddusw psubsb psubsw paddsb paddsw psubb psubw psubd paddb paddw paddd pand pandn por pxor",
  sse: "pinsrw pextrw pmovmskb pminub pmaxub pminsw pmaxsw pavgb pavgw pmulhuw psadbw pshufw maskmovq movntq",
  sse2: "paddq psubq pmuludq",
};

function byMnemonic(table: { readonly [name in Feature]?: string }): Map<string, Feature> {
  return new Map(
    Object.entries(table).flatMap(([feature, mnemonics]) =>
      mnemonics.split(" ").map((mnemonic) => [mnemonic, feature as Feature] as const)
    ),
  );
}

const plain = byMnemonic(MNEMONICS), mmxForms = byMnemonic(MMX_FORMS);

/** The feature without which a processor does not have a decoded instruction; undefined if all have it. */
export function featureOf(instruction: Instruction, codeSize: CodeSize): Feature | undefined {
  const { mnemonic, operands } = instruction;
  const feature = plain.get(mnemonic);
  if (feature !== undefined) return feature;
  const mmxFeature = mmxForms.get(mnemonic);
  if (mmxFeature !== undefined) {
    if (!operands.some((operand) => operand.kind === "reg" && operand.file === "xmm")) return mmxFeature;
    return mnemonic === "pextrw" && operands[0].kind === "mem" ? "sse4.1" : "sse2";
  }
  // The multi-byte form.
  if (mnemonic === "nop") return operands.length > 0 ? "cmov" : undefined;
  return codeSize === 64 && (mnemonic === "lahf" || mnemonic === "sahf") ? "lahf-lm" : undefined;
}

/** Where a feature is missing, some instructions are older ones with a prefix that has no meaning there. */
const OLDER: Readonly<Record<string, string>> = { lzcnt: "bsr", tzcnt: "bsf" };

/** Makes of an instruction what it is for a processor without its feature: an older instruction or an undefined one. */
export function withoutFeature(instruction: Instruction): void {
  const older = OLDER[instruction.mnemonic];
  if (older !== undefined) {
    instruction.mnemonic = older;
    return;
  }
  instruction.mnemonic = "ud";
  instruction.operands = [];
  instruction.lock = false;
  instruction.repeat = "";
}
