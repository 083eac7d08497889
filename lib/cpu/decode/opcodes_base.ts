/**
 * The one-byte opcode map. Source: Intel SDM vol. 2D, appendix A, tables; undocumented aliases as the
 * processors have them (82h, SALC, D0h/6, F6h/1 …).
 *
 * A row is `key entry | entry | …`; consecutive entries go to consecutive opcodes. The key is
 *
 * - `80`      an opcode; `80/3` with that value of ModRM.reg, consecutive entries then go to consecutive values;
 * - `d9:e8`   an opcode with that ModRM byte, consecutive entries then go to consecutive bytes;
 * - `50+`     one entry for eight opcodes (or, with `:`, for eight ModRM bytes), the low three bits are free;
 * - `10*`     the entries are those without prefix, with 66, with F3 and with F2; without the star any prefix will do.
 *
 * An entry is `mnemonic operands attributes`; `-` leaves it undefined; the first row that defines an encoding wins.
 * Operands are in the manual's notation (M, R, N and U restrict the entry to the memory or the register form), with
 * these additions: `sIb` a byte sign-extended to the operand size, `uIb` and `uIw` unsigned, `n` the natural width (64 bits in
 * 64-bit code, else 32), `rAX` the accumulator in the operand size, `eAX` likewise but 32 bits at most, `STi` by ModRM.rm.
 * Attributes: `i64` not in 64-bit code, `o64` only there, `w0` and `w1` by REX.W, `d64` operand size 64 by
 * default in 64-bit code, `f64` always 64 there, `lock` LOCK is legal with a memory destination, `str` takes repeat
 * prefixes, `anymod` ModRM.mod is ignored and rm names a register.
 */
export const BASE_OPCODES = `
00    add Eb,Gb lock | add Ev,Gv lock | add Gb,Eb | add Gv,Ev | add AL,Ib | add rAX,Iz | push ES i64 | pop ES i64
08    or Eb,Gb lock  | or Ev,Gv lock  | or Gb,Eb  | or Gv,Ev  | or AL,Ib  | or rAX,Iz  | push CS i64
10    adc Eb,Gb lock | adc Ev,Gv lock | adc Gb,Eb | adc Gv,Ev | adc AL,Ib | adc rAX,Iz | push SS i64 | pop SS i64
18    sbb Eb,Gb lock | sbb Ev,Gv lock | sbb Gb,Eb | sbb Gv,Ev | sbb AL,Ib | sbb rAX,Iz | push DS i64 | pop DS i64
20    and Eb,Gb lock | and Ev,Gv lock | and Gb,Eb | and Gv,Ev | and AL,Ib | and rAX,Iz | - | daa i64
28    sub Eb,Gb lock | sub Ev,Gv lock | sub Gb,Eb | sub Gv,Ev | sub AL,Ib | sub rAX,Iz | - | das i64
30    xor Eb,Gb lock | xor Ev,Gv lock | xor Gb,Eb | xor Gv,Ev | xor AL,Ib | xor rAX,Iz | - | aaa i64
38    cmp Eb,Gb      | cmp Ev,Gv      | cmp Gb,Eb | cmp Gv,Ev | cmp AL,Ib | cmp rAX,Iz | - | aas i64
40+   inc Zv i64
48+   dec Zv i64
50+   push Zv d64
58+   pop Zv d64
60    pusha i64 | popa i64 | bound Gv,Ma i64
63    arpl Ew,Gw i64
63    movsxd Gv,Ez o64
68    push Iz d64 | imul Gv,Ev,Iz | push sIb d64 | imul Gv,Ev,sIb
6c    ins Yb,DX str | ins Yz,DX str | outs DX,Xb str | outs DX,Xz str
70    jo Jb f64 | jno Jb f64 | jb Jb f64 | jnb Jb f64 | jz Jb f64 | jnz Jb f64 | jbe Jb f64 | jnbe Jb f64
78    js Jb f64 | jns Jb f64 | jp Jb f64 | jnp Jb f64 | jl Jb f64 | jnl Jb f64 | jle Jb f64 | jnle Jb f64
80/0  add Eb,Ib lock | or Eb,Ib lock | adc Eb,Ib lock | sbb Eb,Ib lock
80/4  and Eb,Ib lock | sub Eb,Ib lock | xor Eb,Ib lock | cmp Eb,Ib
81/0  add Ev,Iz lock | or Ev,Iz lock | adc Ev,Iz lock | sbb Ev,Iz lock
81/4  and Ev,Iz lock | sub Ev,Iz lock | xor Ev,Iz lock | cmp Ev,Iz
82/0  add Eb,Ib lock i64 | or Eb,Ib lock i64 | adc Eb,Ib lock i64 | sbb Eb,Ib lock i64
82/4  and Eb,Ib lock i64 | sub Eb,Ib lock i64 | xor Eb,Ib lock i64 | cmp Eb,Ib i64
83/0  add Ev,sIb lock | or Ev,sIb lock | adc Ev,sIb lock | sbb Ev,sIb lock
83/4  and Ev,sIb lock | sub Ev,sIb lock | xor Ev,sIb lock | cmp Ev,sIb
84    test Eb,Gb | test Ev,Gv | xchg Eb,Gb lock | xchg Ev,Gv lock
88    mov Eb,Gb | mov Ev,Gv | mov Gb,Eb | mov Gv,Ev | mov Mw,Sw | lea Gv,M | mov Sw,Ew
8c    mov Rv,Sw
8f/0  pop Ev d64
90*   nop | nop | pause | nop
91    xchg Zv,rAX | xchg Zv,rAX | xchg Zv,rAX | xchg Zv,rAX | xchg Zv,rAX | xchg Zv,rAX | xchg Zv,rAX
98    cbw | cwd | callf Ap i64 | fwait | pushf d64 | popf d64 | sahf | lahf
a0    mov AL,Ob | mov rAX,Ov | mov Ob,AL | mov Ov,rAX | movs Yb,Xb str | movs Yv,Xv str | cmps Xb,Yb str | cmps Xv,Yv str
a8    test AL,Ib | test rAX,Iz | stos Yb,AL str | stos Yv,rAX str | lods AL,Xb str | lods rAX,Xv str
ae    scas AL,Yb str | scas rAX,Yv str
b0+   mov Zb,Ib
b8+   mov Zv,Iv
c0/0  rol Eb,uIb | ror Eb,uIb | rcl Eb,uIb | rcr Eb,uIb | shl Eb,uIb | shr Eb,uIb | shl Eb,uIb | sar Eb,uIb
c1/0  rol Ev,uIb | ror Ev,uIb | rcl Ev,uIb | rcr Ev,uIb | shl Ev,uIb | shr Ev,uIb | shl Ev,uIb | sar Ev,uIb
c2    ret uIw f64 | ret f64 | les Gz,Mp i64 | lds Gz,Mp i64
c6/0  mov Eb,Ib
c7/0  mov Ev,Iz
c8    enter uIw,uIb d64 | leave d64 | retf uIw | retf | int3 | int uIb | into i64 | iret
d0/0  rol Eb,1 | ror Eb,1 | rcl Eb,1 | rcr Eb,1 | shl Eb,1 | shr Eb,1 | shl Eb,1 | sar Eb,1
d1/0  rol Ev,1 | ror Ev,1 | rcl Ev,1 | rcr Ev,1 | shl Ev,1 | shr Ev,1 | shl Ev,1 | sar Ev,1
d2/0  rol Eb,CL | ror Eb,CL | rcl Eb,CL | rcr Eb,CL | shl Eb,CL | shr Eb,CL | shl Eb,CL | sar Eb,CL
d3/0  rol Ev,CL | ror Ev,CL | rcl Ev,CL | rcr Ev,CL | shl Ev,CL | shr Ev,CL | shl Ev,CL | sar Ev,CL
d4    aam uIb i64 | aad uIb i64 | salc i64 | xlat
e0    loopnz Jb f64 | loopz Jb f64 | loop Jb f64 | jcxz Jb f64 | in AL,uIb | in eAX,uIb | out uIb,AL | out uIb,eAX
e8    call Jz f64 | jmp Jz f64 | jmpf Ap i64 | jmp Jb f64 | in AL,DX | in eAX,DX | out DX,AL | out DX,eAX
f1    int1
f4    hlt | cmc
f6/0  test Eb,Ib | test Eb,Ib | not Eb lock | neg Eb lock | mul Eb | imul Eb | div Eb | idiv Eb
f7/0  test Ev,Iz | test Ev,Iz | not Ev lock | neg Ev lock | mul Ev | imul Ev | div Ev | idiv Ev
f8    clc | stc | cli | sti | cld | std
fe/0  inc Eb lock | dec Eb lock
ff/0  inc Ev lock | dec Ev lock | call Ev f64 | callf Mp | jmp Ev f64 | jmpf Mp | push Ev d64
`;
