/** Short pieces of assembly as bootable images. Needs nasm. */

/** Where the piece runs: IP, or its physical address. */
const ORIGIN = 0x7e00;
const SECTORS = 16;

/** Goes to 32-bit code, then on to 64-bit code if asked for: flat segments, identity pages for 1 GiB. */
const WAY_UP = `
        lgdt [gdt_pointer]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp 8:.wide
        bits 32
.wide:  mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov esp, 0x7000
`;
const WAY_TO_64 = `
        mov edi, 0x1000
        mov ecx, 0x1800
        xor eax, eax
        rep stosd
        mov dword [0x1000], 0x2003
        mov dword [0x2000], 0x3003
        mov edi, 0x3000
        mov eax, 0x83
.page:  stosd
        add edi, 4
        add eax, 0x200000
        cmp edi, 0x4000
        jb .page
        mov eax, 0x1000
        mov cr3, eax
        mov eax, 0x620
        mov cr4, eax
        mov ecx, 0xC0000080
        rdmsr
        or eax, 0x100
        wrmsr
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        jmp 24:.long
        bits 64
.long:  mov esp, 0x7000
`;

function source(code: string, bits: number): string {
  return `
        org 0x7C00
        bits 16
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7000
        mov bx, ${ORIGIN}
        mov ax, 0x0200 | ${SECTORS}
        mov cx, 2
        mov dh, 0
        int 0x13
        in al, 0x92
        or al, 2
        out 0x92, al
        xor eax, eax
        xor ebx, ebx
        xor ecx, ecx
        xor edx, edx
        ${bits === 16 ? "" : WAY_UP + "        mov eax, 0x600\n        mov cr4, eax\n"}
        ${bits === 64 ? WAY_TO_64 : ""}
        jmp piece
        align 8
gdt:    dq 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00AF9B000000FFFF
gdt_pointer:
        dw 31
        dd gdt
        times 510 - ($ - $$) db 0
        dw 0xAA55
        bits ${bits}
piece:
${code}
        cli
        hlt
        times 1474560 - ($ - $$) db 0
`;
}

/**
 * A floppy image that runs `code`, assembly in nasm's syntax, in 16-bit real mode or in flat 32- or 64-bit code at level 0,
 * and halts. Statements are separated by line ends or semicolons.
 */
export async function snippetImage(code: string, bits: 16 | 32 | 64): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/code.asm`, source(code.replaceAll(";", "\n"), bits));
    const { success, stderr } = await new Deno.Command("nasm", {
      args: ["-f", "bin", `${folder}/code.asm`, "-o", `${folder}/code.bin`],
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return await Deno.readFile(`${folder}/code.bin`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
