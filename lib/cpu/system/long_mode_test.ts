import { assertEquals } from "@std/assert";
import { CR4, EFER, Flag, R, S, Seg, Vector } from "../state.ts";
import { LongAt, longBoard, runUntilHalt, segment, Sel } from "./test_tables.ts";

const HIGH = 0x0000_8000_0000_0000n;

Deno.test("64-bit code: an access to an address that is not canonical raises #GP(0), or #SS(0) through SS", () => {
  const cases: [name: string, code: number[], vector: number][] = [
    ["mov rax, [rbx]", [0x48, 0x8b, 0x03], Vector.GP],
    ["mov [rbx], rax", [0x48, 0x89, 0x03], Vector.GP],
    ["add [rbx], eax", [0x01, 0x03], Vector.GP],
    ["mov rax, [rbp]", [0x48, 0x8b, 0x45, 0], Vector.SS],
    ["ds mov rax, [rbp]", [0x3e, 0x48, 0x8b, 0x45, 0], Vector.SS],
    ["movups xmm0, [rbx]", [0x0f, 0x10, 0x03], Vector.GP],
    ["push [rbx]", [0xff, 0x33], Vector.GP],
    ["mov rsp, rbx; push rax", [0x48, 0x89, 0xdc, 0x50], Vector.SS],
    ["mov rsp, rbx; pop [8000h]", [0x48, 0x89, 0xdc, 0x8f, 0x04, 0x25, 0, 0x80, 0, 0], Vector.SS],
    ["mov rsp, rbx; ret", [0x48, 0x89, 0xdc, 0xc3], Vector.SS],
    ["mov rsp, rbx; retf", [0x48, 0x89, 0xdc, 0x48, 0xcb], Vector.SS],
    ["mov rsp, rbx; iretq", [0x48, 0x89, 0xdc, 0x48, 0xcf], Vector.SS],
    ["leave", [0xc9], Vector.SS],
    ["mov rdi, rbx; stosb", [0x48, 0x89, 0xdf, 0xaa], Vector.GP],
    ["mov rdi, rbx; rep stosb", [0x48, 0x89, 0xdf, 0xb9, 1, 0, 0, 0, 0xf3, 0xaa], Vector.GP],
    ["jmp rbx", [0xff, 0xe3], Vector.GP],
    ["call rbx", [0xff, 0xd3], Vector.GP],
    ["push rbx; ret", [0x53, 0xc3], Vector.GP],
    ["lgdt [8000h]", [0x0f, 0x01, 0x14, 0x25, 0, 0x80, 0, 0], Vector.GP],
    ["lidt [8000h]", [0x0f, 0x01, 0x1c, 0x25, 0, 0x80, 0, 0], Vector.GP],
  ];
  for (const [name, code, vector] of cases) {
    for (const address of [HIGH + 0x100n, 0xffff_7fff_ffff_ff00n, 0x8000_0000_0000_0000n]) {
      const b = longBoard();
      // Handlers get a stack of their own, on which the exception can be pushed whatever RSP is.
      for (const v of [Vector.SS, Vector.GP]) b.write32(0x3000 + v * 16 + 4, b.read32(0x3000 + v * 16 + 4) | 1);
      b.board.memory.view.setBigUint64(0x4000 + 36, BigInt(LongAt.STACK), true);
      b.board.memory.view.setBigUint64(0x8002, address, true);
      b.r.set64(R.BX, address);
      b.r.set64(R.BP, address);
      const { vector: found, code: error } = runUntilHalt(b, code);
      assertEquals([found, error], [vector, 0], `${name} at ${address.toString(16)}`);
    }
  }
});

Deno.test("64-bit code: accesses may cross 4 GiB", () => {
  const b = longBoard(), { view } = b.board.memory;
  // The last page below 4 GiB and the first one above are mapped to 8000h and 9000h.
  const table = 0x3_0000;
  view.setBigUint64(LongAt.TABLES + 0x1000 + 3 * 8, BigInt(table) | 7n, true);
  view.setBigUint64(LongAt.TABLES + 0x1000 + 4 * 8, BigInt(table + 0x1000) | 7n, true);
  view.setBigUint64(table + 511 * 8, BigInt(table + 0x2000) | 7n, true);
  view.setBigUint64(table + 0x1000, BigInt(table + 0x3000) | 7n, true);
  view.setBigUint64(table + 0x2000 + 511 * 8, 0x8007n, true);
  view.setBigUint64(table + 0x3000, 0x9007n, true);
  view.setBigUint64(0x8ffc, 0x1122_3344_5566_7788n, true);
  b.r.set64(R.BX, 0xffff_fffcn);
  assertEquals(runUntilHalt(b, [0x48, 0x8b, 0x03, 0x48, 0x89, 0x43, 0xff]).vector, -1);
  assertEquals(b.r.get64(R.AX), 0x1122_3344_5566_7788n);
  assertEquals(view.getBigUint64(0x8ffb, true), 0x1122_3344_5566_7788n);
});

Deno.test("pages of 1 GiB exist if the model has them", () => {
  for (const large of [true, false]) {
    const b = large ? longBoard("+pdpe1gb") : longBoard();
    b.board.memory.view.setBigUint64(LongAt.TABLES + 0x1000 + 8, 0x83n, true);
    b.board.memory.view.setBigUint64(0x8000, 0x1234n, true);
    b.r.set64(R.BX, 0x4000_8000n);
    const outcome = runUntilHalt(b, [0x48, 0x8b, 0x03]);
    if (large) assertEquals([outcome.vector, b.r.get64(R.AX)], [-1, 0x1234n]);
    else assertEquals([outcome.vector, outcome.code], [Vector.PF, 9]);
    // Bits 13 to 29 of such an entry are reserved.
    const reserved = longBoard("+pdpe1gb");
    reserved.board.memory.view.setBigUint64(LongAt.TABLES + 0x1000 + 8, 0x2083n, true);
    reserved.r.set64(R.BX, 0x4000_8000n);
    assertEquals(runUntilHalt(reserved, [0x48, 0x8b, 0x03]).code, 9);
  }
});

Deno.test("SMEP: the supervisor does not run the user's code", () => {
  const b = longBoard("+smep");
  b.board.load(0x8000, 0xf4);
  b.r.setNumber(S.CR4, CR4.PAE | CR4.SMEP);
  b.r.setNumber(S.EFER, EFER.LME | EFER.LMA);
  b.cpu.modeChanged();
  // jmp 8000h
  assertEquals(runUntilHalt(b, [0xe9, 0xfb, 0x6f, 0, 0]), { vector: Vector.PF, code: 0x11, ip: 0x8000 });
});

Deno.test("SMAP: the supervisor uses the user's data only while AC is set", () => {
  const smap = () => {
    const b = longBoard("+smap");
    b.r.setNumber(S.CR4, CR4.PAE | CR4.SMAP);
    b.r.set64(R.BX, 0x8000n);
    b.r.set64(R.CX, 0x6000n);
    return b;
  };
  const stac = [0x0f, 0x01, 0xcb], clac = [0x0f, 0x01, 0xca], load = [0x8b, 0x03], store = [0x89, 0x03];
  assertEquals(runUntilHalt(smap(), load), { vector: Vector.PF, code: 1, ip: 0x1000 });
  assertEquals(runUntilHalt(smap(), store), { vector: Vector.PF, code: 3, ip: 0x1000 });
  assertEquals(runUntilHalt(smap(), [0x8b, 0x01]).vector, -1, "its own data are not guarded");
  assertEquals(runUntilHalt(smap(), [...stac, ...load, ...store]).vector, -1);
  assertEquals(runUntilHalt(smap(), [...stac, ...load, ...clac, ...load]), { vector: Vector.PF, code: 1, ip: 0x1008 });
  assertEquals(runUntilHalt(smap(), [...stac, ...store, ...clac, ...store]).code, 3);
  // pushf; stac; load; popf; load
  assertEquals(runUntilHalt(smap(), [0x9c, ...stac, ...load, 0x9d, ...load]), {
    vector: Vector.PF,
    code: 1,
    ip: 0x1007,
  });
  const user = smap();
  assertEquals(runUntilHalt(user, load, true).vector, Vector.GP, "the user's own access is allowed, its HLT is not");
  assertEquals(runUntilHalt(longBoard(), stac).vector, Vector.UD);
  assertEquals(runUntilHalt(longBoard("+smap"), stac, true).vector, Vector.UD);
});

Deno.test("SMAP: AC does not open the user's pages to the processor's own look-ups", () => {
  const b = longBoard("+smap");
  b.r.setNumber(S.CR4, CR4.PAE | CR4.SMAP);
  b.r.eflags = Flag.AC | 2;
  // The LDT is in a page of the user's, where a plain load reaches it; ES is loaded from it.
  b.r.setSegment(Seg.LDTR, Sel.LDT, 0x8800, 0x7f, 0x82);
  segment(0x93).forEach((word, i) => b.write32(0x8808 + i * 4, word));
  b.r.set64(R.BX, 0x8808n);
  const outcome = runUntilHalt(b, [0x8b, 0x03, 0xb8, 0xc, 0, 0, 0, 0x8e, 0xc0, 0x8b, 0x03]);
  assertEquals(outcome, { vector: Vector.PF, code: 1, ip: 0x1007 });
  assertEquals([b.r.get32(R.AX), b.r.selector(Seg.ES)], [0xc, 0x10]);
});

Deno.test("data breakpoints and alignment see eight bytes as one access", () => {
  const b = longBoard();
  b.r.setNumber(S.CR0, 0x8005_0011);
  b.r.eflags = Flag.AC | 2;
  b.r.set64(R.BX, 0x8004n);
  assertEquals(runUntilHalt(b, [0x48, 0x8b, 0x03], true), { vector: Vector.AC, code: 0, ip: 0x8000 });
});

Deno.test("PCID: bit 63 of CR3 is not kept, CR4.PCIDE needs a context of 0 and goes before paging", () => {
  const load = (cr3: bigint, cr4: number, code: number[]) => {
    const b = longBoard("+pcid");
    b.r.setNumber(S.CR4, cr4);
    b.r.set64(R.BX, cr3);
    return [b, runUntilHalt(b, code)] as const;
  };
  const toCr3 = [0x0f, 0x22, 0xdb], TABLES = BigInt(LongAt.TABLES);
  const [kept, outcome] = load((1n << 63n) | TABLES | 5n, CR4.PAE | CR4.PCIDE, toCr3);
  assertEquals([outcome.vector, kept.r.u64(S.CR3)], [-1, TABLES | 5n]);
  assertEquals(load((1n << 63n) | TABLES, CR4.PAE, toCr3)[1].vector, Vector.GP);
  assertEquals(load((1n << 36n) | TABLES, CR4.PAE | CR4.PCIDE, toCr3)[1].vector, Vector.GP, "beyond the address width");
  // mov rcx, cr4; or ecx, 20000h; mov cr4, rcx
  const enable = [0x0f, 0x20, 0xe1, 0x81, 0xc9, 0, 0, 2, 0, 0x0f, 0x22, 0xe1];
  assertEquals(load(TABLES, CR4.PAE, [...toCr3, ...enable])[0].r.i32(S.CR4), CR4.PAE | CR4.PCIDE);
  assertEquals(load(TABLES | 8n, CR4.PAE, [...toCr3, ...enable])[1].vector, Vector.GP);
  assertEquals(runUntilHalt(longBoard(), enable).vector, Vector.GP, "a model without the feature");
});

Deno.test("INVPCID: type, descriptor and privilege are checked", () => {
  const invpcid = [0x66, 0x0f, 0x38, 0x82, 0x03];
  const run = (type: bigint, context: bigint, linear: bigint, cr4 = 0, user = false) => {
    const b = longBoard("+invpcid,+pcid"), { view } = b.board.memory;
    b.r.setNumber(S.CR4, CR4.PAE | cr4);
    view.setBigUint64(0x8800, context, true);
    view.setBigUint64(0x8808, linear, true);
    b.r.set64(R.AX, type);
    b.r.set64(R.BX, 0x8800n);
    return runUntilHalt(b, invpcid, user).vector;
  };
  for (const type of [0n, 1n, 2n, 3n]) assertEquals(run(type, 0n, 0x8000n), -1);
  assertEquals(run(4n, 0n, 0n), Vector.GP);
  assertEquals(run(1n << 32n, 0n, 0n), Vector.GP);
  assertEquals(run(0n, 0n, HIGH), Vector.GP);
  assertEquals(run(1n, 0n, HIGH), -1);
  assertEquals([run(1n, 5n, 0n), run(1n, 5n, 0n, CR4.PCIDE), run(2n, 0x1000n, 0n)], [Vector.GP, -1, Vector.GP]);
  assertEquals(run(0n, 0n, 0n, 0, true), Vector.GP);
  assertEquals(runUntilHalt(longBoard(), invpcid).vector, Vector.UD);
});

Deno.test("UMIP keeps the tables' places and the machine status from the user", () => {
  const codes: [name: string, code: number[]][] = [
    ["sgdt [8800h]", [0x0f, 0x01, 0x04, 0x25, 0, 0x88, 0, 0]],
    ["sidt [8800h]", [0x0f, 0x01, 0x0c, 0x25, 0, 0x88, 0, 0]],
    ["sldt eax", [0x0f, 0x00, 0xc0]],
    ["str eax", [0x0f, 0x00, 0xc8]],
    ["smsw eax", [0x0f, 0x01, 0xe0]],
  ];
  for (const [name, code] of codes) {
    const run = (cr4: number, user: boolean) => {
      const b = longBoard("+umip");
      b.r.setNumber(S.CR4, CR4.PAE | cr4);
      return runUntilHalt(b, code, user);
    };
    assertEquals(run(CR4.UMIP, true), { vector: Vector.GP, code: 0, ip: 0x8000 }, name);
    assertEquals(run(CR4.UMIP, false).vector, -1, name);
    assertEquals(run(0, true).ip, 0x8000 + code.length, `${name}: only the HLT behind it faults`);
  }
});

Deno.test("FSGSBASE: bases are read and written as numbers of 32 and 64 bits", () => {
  // wrfsbase rbx; rdfsbase rax; mov ecx, fs:[0]; wrgsbase ebx; rdgsbase rdx
  const code = [0xf3, 0x48, 0x0f, 0xae, 0xd3, 0xf3, 0x48, 0x0f, 0xae, 0xc0, 0x64, 0x8b, 0x0c, 0x25, 0, 0, 0, 0];
  const rest = [0xf3, 0x0f, 0xae, 0xdb, 0xf3, 0x48, 0x0f, 0xae, 0xca];
  const board = (base: bigint, cr4: number = CR4.FSGSBASE) => {
    const b = longBoard("+fsgsbase");
    b.r.setNumber(S.CR4, CR4.PAE | cr4);
    b.r.set64(R.BX, base);
    b.write32(0x8800, 0x55aa);
    return b;
  };
  const b = board(0x8800n);
  assertEquals(runUntilHalt(b, code, true).ip, 0x8000 + code.length);
  assertEquals([b.r.get64(R.AX), b.r.get64(R.CX)], [0x8800n, 0x55aan]);
  const high = board(0xffff_8000_1234_5678n);
  assertEquals(runUntilHalt(high, rest).vector, -1);
  assertEquals(high.r.get64(R.DX), 0x1234_5678n);
  assertEquals(runUntilHalt(board(HIGH), code).vector, Vector.GP);
  assertEquals(runUntilHalt(board(0n, 0), code).vector, Vector.UD);
});

Deno.test("RDTSCP gives the time and IA32_TSC_AUX, to the user unless CR4.TSD is set", () => {
  const rdtscp = [0x0f, 0x01, 0xf9];
  const b = longBoard("+rdtscp");
  b.r.setU64(S.TSC_AUX, 0x1234n);
  b.r.setNumber(S.TSC_OFFSET, 1000);
  assertEquals(runUntilHalt(b, rdtscp, true).ip, 0x8003);
  assertEquals([b.r.get64(R.CX), b.r.get64(R.AX), b.r.get64(R.DX)], [0x1234n, 1000n, 0n]);
  const restricted = longBoard("+rdtscp");
  restricted.r.setNumber(S.CR4, CR4.PAE | CR4.TSD);
  assertEquals(runUntilHalt(restricted, rdtscp, true), { vector: Vector.GP, code: 0, ip: 0x8000 });
  assertEquals(runUntilHalt(longBoard(), rdtscp).vector, Vector.UD);
});

Deno.test("gates, LTR and stack pointers that are not canonical are refused", () => {
  const high = longBoard();
  // INT 20h through a gate to an offset that is not canonical.
  [0, 0].forEach((_, i) => high.write32(0x3000 + 0x20 * 16 + i * 4, high.read32(0x3000 + i * 4)));
  high.write32(0x3000 + 0x20 * 16 + 8, 0x8000);
  assertEquals(runUntilHalt(high, [0xcd, 0x20]), { vector: Vector.GP, code: 0, ip: 0x1000 });
  // The TSS's stack for exceptions from level 3 is not one; #SS has another in IST 1.
  const stack = longBoard();
  stack.board.memory.view.setBigUint64(0x4004, HIGH + 0x1000n, true);
  stack.board.memory.view.setBigUint64(0x4000 + 36, BigInt(LongAt.STACK), true);
  stack.write32(0x3000 + Vector.SS * 16 + 4, stack.read32(0x3000 + Vector.SS * 16 + 4) | 1);
  assertEquals(runUntilHalt(stack, [0x0f, 0x0b], true), { vector: Vector.SS, code: 1, ip: 0x8000 });
});
