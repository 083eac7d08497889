/** The command `disasm`. */
import { parseArgs } from "@std/cli";
import { decode, disassemble, newInstruction } from "../cpu/decode/mod.ts";
import type { CodeSize } from "../cpu/decode/mod.ts";
import { OptionError } from "../guest/errors.ts";
import { suggestion } from "../guest/nearest.ts";
import { parseSize } from "../guest/quantity.ts";
import { ExitCode } from "./exit_codes.ts";
import { print } from "./output.ts";

/** Help for `disasm`. */
const DISASM_HELP = `Usage: bootwright disasm [OPTION]... FILE
       bootwright disasm [OPTION]... --hex "b8 01 00 cd 10"

Disassembles machine code in Intel syntax.

  --bits 16|32|64    code size (default 16)
  --origin ADDRESS   address of the first byte of the file (default 0; boot sectors 0x7c00)
  --offset SIZE      bytes of the file to skip
  --length SIZE      bytes to disassemble
  --hex TEXT         bytes in hexadecimal instead of a file
`;

/** Bytes shown per line before the text; longer instructions push it to the right. */
const BYTES_COLUMN = 8;

/** The lines of a listing: address, bytes, text. `origin` is the address of `code[0]`. */
export function* listing(code: Uint8Array, bits: CodeSize, origin: number): Generator<string> {
  const instruction = newInstruction();
  for (let at = 0; at < code.length;) {
    const status = decode(code, at, code.length, bits, instruction);
    const length = status === "truncated" ? code.length - at : Math.max(1, instruction.length);
    const bytes = [...code.subarray(at, at + length)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = status === "truncated" ? "(cut off)" : disassemble(instruction, origin + at);
    const address = (origin + at).toString(16).padStart(bits === 16 ? 5 : 8, "0");
    yield `${address}  ${bytes.padEnd(3 * BYTES_COLUMN - 1)}  ${text}`;
    at += length;
  }
}

/** Prints a listing. Returns the exit code; errors are thrown. */
export async function disasm(args: readonly string[]): Promise<number> {
  const names = ["bits", "origin", "offset", "length", "hex"];
  const parsed = parseArgs(args, {
    string: names,
    boolean: ["help"],
    alias: { help: "h" },
    unknown: (argument, key) => {
      if (key === undefined) return true;
      throw new OptionError(`unknown option ${argument}${suggestion(key, names.map((name) => `--${name}`))}`);
    },
  });
  if (parsed.help === true) {
    print(DISASM_HELP);
    return ExitCode.OK;
  }
  const value = (name: string) => parsed[name] === undefined ? undefined : String(parsed[name]);
  const bits = Number(value("bits") ?? 16);
  if (bits !== 16 && bits !== 32 && bits !== 64) throw new OptionError("--bits is 16, 32 or 64");
  const origin = Number(value("origin") ?? 0);
  if (!Number.isSafeInteger(origin) || origin < 0) throw new OptionError("--origin is an address such as 0x7c00");
  const bytes = value("hex") === undefined ? await readInput(parsed._.map(String)) : parseHex(value("hex") ?? "");
  const start = parseSize(value("offset") ?? 0, "--offset");
  const length = parseSize(value("length") ?? bytes.length, "--length");
  for (const line of listing(bytes.subarray(start, start + length), bits, origin + start)) print(line);
  return ExitCode.OK;
}

async function readInput(files: readonly string[]): Promise<Uint8Array> {
  if (files.length !== 1) throw new OptionError("disasm takes one file, or --hex");
  return await Deno.readFile(files[0]);
}

function parseHex(text: string): Uint8Array {
  const digits = text.replace(/[\s,]|0x/g, "");
  if (!/^([\da-f]{2})+$/i.test(digits)) throw new OptionError("--hex takes pairs of hexadecimal digits");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
