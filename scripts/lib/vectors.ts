/**
 * Instruction vectors recorded from a real processor: the form of a case, and reading their files.
 *
 * A file is gzipped JSON lines; `README.md` beside the vectors describes the fields. Offsets in `mem` count from
 * {@link DATA_BASE}, `ip` counts from {@link CODE_BASE}.
 */
import type { CodeSize } from "../../lib/cpu/decode/mod.ts";

/** Linear address of the data page. */
export const DATA_BASE = 0x2_0000;
/** Linear address from which `ip` counts; the code page. */
export const CODE_BASE = 0x3_0000;
/** Offset of the instruction in the code page. */
export const CODE_OFFSET = 0x100;
/**
 * Offsets in the data page between which changes were recorded. All operands lie here; only a stack that a case puts elsewhere
 * does not.
 */
export const RECORDED = { START: 0x700, END: 0x900 } as const;
/** Bytes in each of the two pages. */
export const PAGE = 0x1000;

/** General registers in encoding order as 16- and 32-bit cases name them. */
export const REGISTERS_32 = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
/** General registers in encoding order as 64-bit cases name them. */
export const REGISTERS_64 = [
  ...REGISTERS_32.map((name) => name.replace("e", "r")),
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
] as const;

/** The bits of EFLAGS that cases hold: CF PF AF ZF SF DF OF. */
export const CASE_FLAGS = 0xcd5;

/** The state of a processor as far as cases show it. */
export interface ProcessorState {
  /** General registers in encoding order; 8, or 16 in 64-bit code. */
  gpr: bigint[];
  /** EFLAGS, {@link CASE_FLAGS} only. */
  flags: number;
  /** Linear address of the next instruction, relative to {@link CODE_BASE}. */
  ip: number;
  fcw: number;
  /** Status word with the stack top. */
  fsw: number;
  /** Abridged tags: a bit per physical register, 1 = valid. */
  ftw: number;
  /** ST(0)–ST(7), 80 bits each. */
  st: bigint[];
  mxcsr: number;
  /** 8, or 16 in 64-bit code. */
  xmm: bigint[];
  /** {@link PAGE} bytes from {@link DATA_BASE}. */
  data: Uint8Array;
  /** {@link PAGE} bytes from {@link CODE_BASE}. */
  code: Uint8Array;
}

/** What may be inexact in a case. */
export type Approximation = "" | "x87" | "rcp";

/** One case. */
export interface VectorCase {
  codeSize: CodeSize;
  /** The instruction's bytes. */
  code: Uint8Array;
  before: ProcessorState;
  after: ProcessorState;
  /** Exception that the instruction raises, for example `#DE`; "" for none. */
  exception: string;
  /** Bits of the flags that are not compared. */
  undefinedFlags: number;
  /** Bits of the x87 status word that are not compared. */
  undefinedFsw: number;
  approximation: Approximation;
  /** The case says something of x87 or SSE state: it must be compared. */
  floating: boolean;
  /** The case says something of x87 state (SSE cases with MMX registers may leave it out): compare that too. */
  x87: boolean;
}

type Fields = Record<string, unknown>;

function fields(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError(`${what} is no record`);
  return value as Fields;
}

function text(value: unknown, fallback: string): string {
  return typeof value === "string" ? value : fallback;
}

function number(value: unknown, fallback: number): number {
  return typeof value === "string" ? parseInt(value, 16) : fallback;
}

/** Writes `[offset, bytes]` pairs to the two pages. */
function applyMemory(state: ProcessorState, list: unknown): void {
  if (!Array.isArray(list)) return;
  for (const [offset, hex] of list as [string, string][]) {
    const bytes = Uint8Array.fromHex(hex), start = parseInt(offset, 16);
    for (let i = 0; i < bytes.length; i++) {
      const at = start + i;
      if (at < PAGE) state.data[at] = bytes[i];
      else if (at >= CODE_BASE - DATA_BASE) state.code[at - (CODE_BASE - DATA_BASE)] = bytes[i];
    }
  }
}

/** Puts the fields of `in` or `out` over `state`. */
function apply(state: ProcessorState, values: Fields, codeSize: CodeSize): void {
  const names: readonly string[] = codeSize === 64 ? REGISTERS_64 : REGISTERS_32;
  for (const [i, name] of names.entries()) {
    const value = values[name];
    if (typeof value === "string") state.gpr[i] = BigInt(`0x${value}`);
  }
  state.flags = number(values.flags, state.flags);
  state.ip = number(values.ip, state.ip);
  state.fcw = number(values.fcw, state.fcw);
  state.fsw = number(values.fsw, state.fsw);
  state.ftw = number(values.ftw, state.ftw);
  state.mxcsr = number(values.mxcsr, state.mxcsr);
  if (Array.isArray(values.st)) state.st = (values.st as string[]).map((hex) => BigInt(`0x${hex}`));
  if (typeof values.xmm === "object" && values.xmm !== null) {
    // A list from XMM0 in `in`, a record of the changed registers in `out`: both have the number as key.
    for (const [i, hex] of Object.entries(values.xmm as Record<string, string>)) {
      state.xmm[Number(i)] = BigInt(`0x${hex}`);
    }
  }
  applyMemory(state, values.mem);
}

function copy(state: ProcessorState): ProcessorState {
  return {
    ...state,
    gpr: [...state.gpr],
    st: [...state.st],
    xmm: [...state.xmm],
    data: state.data.slice(),
    code: state.code.slice(),
  };
}

/** Reads one line of a vector file. */
export function parseCase(line: string, codeSize: CodeSize): VectorCase {
  const record = fields(JSON.parse(line), "a case");
  const input = fields(record.in, "`in`"), output = fields(record.out, "`out`");
  const code = Uint8Array.fromHex(text(record.code, ""));
  const registers = codeSize === 64 ? 16 : 8;
  const before: ProcessorState = {
    gpr: new Array<bigint>(registers).fill(0n),
    flags: 0,
    ip: CODE_OFFSET,
    fcw: 0x37f,
    fsw: 0,
    ftw: 0,
    st: new Array<bigint>(8).fill(0n),
    mxcsr: 0x1f80,
    xmm: new Array<bigint>(registers).fill(0n),
    data: new Uint8Array(PAGE),
    code: new Uint8Array(PAGE),
  };
  // The instruction is followed by INT3.
  before.code.fill(0xcc, CODE_OFFSET, CODE_OFFSET + 0x40);
  before.code.set(code, CODE_OFFSET);
  apply(before, input, codeSize);
  const after = copy(before), exception = text(record.exc, "");
  if (exception === "") after.ip = CODE_OFFSET + code.length;
  apply(after, output, codeSize);
  const approximation = text(record.approx, "");
  if (approximation !== "" && approximation !== "x87" && approximation !== "rcp") {
    throw new TypeError(`unknown approximation ${approximation}`);
  }
  return {
    codeSize,
    code,
    before,
    after,
    exception,
    undefinedFlags: number(record.undef, 0),
    undefinedFsw: number(record.undefFsw, 0),
    approximation,
    x87: ["fcw", "fsw", "ftw", "st"].some((name) => name in input || name in output),
    floating: ["fcw", "fsw", "ftw", "st", "mxcsr", "xmm"].some((name) => name in input || name in output),
  };
}

/** The lines of a gzipped JSON-lines file. */
export async function readLines(path: string): Promise<string[]> {
  using file = await Deno.open(path);
  const stream = file.readable.pipeThrough(new DecompressionStream("gzip"));
  const lines = (await new Response(stream).text()).split("\n");
  return lines.filter((line) => line !== "");
}

/** A vector file: where it lies, what it is called in reports (`16/base-00`), and the code size that its folder says. */
export interface VectorFile {
  path: string;
  name: string;
  codeSize: CodeSize;
}

const SUFFIX = ".ndjson.gz";

/** The vector files below a folder, sorted; the code size is the name of the nearest folder called 16, 32 or 64. */
export function findVectorFiles(folder: string): VectorFile[] {
  const found: VectorFile[] = [];
  const visit = (path: string, codeSize: CodeSize | null) => {
    const name = path.replace(/\/+$/, "").split("/").pop();
    const size = name === "16" ? 16 : name === "32" ? 32 : name === "64" ? 64 : codeSize;
    for (const entry of Deno.readDirSync(path)) {
      const inner = `${path.replace(/\/+$/, "")}/${entry.name}`;
      if (entry.isDirectory) visit(inner, size);
      else if (entry.name.endsWith(SUFFIX)) {
        if (size === null) {
          throw new Error(`${inner}: vectors lie in a folder called 16, 32 or 64, which tells the code size`);
        }
        found.push({ path: inner, name: `${size}/${entry.name.slice(0, -SUFFIX.length)}`, codeSize: size });
      }
    }
  };
  visit(Deno.realPathSync(folder), null);
  return found.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/** Turns a shell pattern (`*`, `?`) into an expression that matches whole names. */
export function globExpression(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${escaped}$`);
}

/** Whether `--only GLOB` selects a file: by its name, or with the folder if the pattern has one. */
export function selects(glob: string, file: VectorFile): boolean {
  return globExpression(glob).test(glob.includes("/") ? file.name : file.name.split("/")[1]);
}
