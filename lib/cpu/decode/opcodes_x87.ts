/**
 * The x87 escapes D8–DF. Source: Intel SDM vol. 2D, tables. The aliases that the manual leaves out but
 * processors execute (DC D0 = FCOM, DF D0 = FSTP, FENI as a no-operation …) are listed under the documented names, except FSTPNCE,
 * which differs from FSTP.
 * Notation: see opcodes_base.ts.
 */
export const X87_OPCODES = `
d8/0    fadd Md | fmul Md | fcom Md | fcomp Md | fsub Md | fsubr Md | fdiv Md | fdivr Md
d8:c0+  fadd ST0,STi
d8:c8+  fmul ST0,STi
d8:d0+  fcom STi
d8:d8+  fcomp STi
d8:e0+  fsub ST0,STi
d8:e8+  fsubr ST0,STi
d8:f0+  fdiv ST0,STi
d8:f8+  fdivr ST0,STi
d9/0    fld Md | - | fst Md | fstp Md | fldenv M | fldcw Mw | fnstenv M | fnstcw Mw
d9:c0+  fld STi
d9:c8+  fxch STi
d9:d0   fnop
d9:d8+  fstpnce STi
d9:e0   fchs | fabs | - | - | ftst | fxam | - | - | fld1 | fldl2t | fldl2e | fldpi | fldlg2 | fldln2 | fldz
d9:f0   f2xm1 | fyl2x | fptan | fpatan | fxtract | fprem1 | fdecstp | fincstp
d9:f8   fprem | fyl2xp1 | fsqrt | fsincos | frndint | fscale | fsin | fcos
da/0    fiadd Md | fimul Md | ficom Md | ficomp Md | fisub Md | fisubr Md | fidiv Md | fidivr Md
da:c0+  fcmovb ST0,STi
da:c8+  fcmove ST0,STi
da:d0+  fcmovbe ST0,STi
da:d8+  fcmovu ST0,STi
da:e9   fucompp
db/0    fild Md | fisttp Md | fist Md | fistp Md | - | fld Mt | - | fstp Mt
db:c0+  fcmovnb ST0,STi
db:c8+  fcmovne ST0,STi
db:d0+  fcmovnbe ST0,STi
db:d8+  fcmovnu ST0,STi
db:e0   fnop | fnop | fnclex | fninit | fnop
db:e8+  fucomi ST0,STi
db:f0+  fcomi ST0,STi
dc/0    fadd Mq | fmul Mq | fcom Mq | fcomp Mq | fsub Mq | fsubr Mq | fdiv Mq | fdivr Mq
dc:c0+  fadd STi,ST0
dc:c8+  fmul STi,ST0
dc:d0+  fcom STi
dc:d8+  fcomp STi
dc:e0+  fsubr STi,ST0
dc:e8+  fsub STi,ST0
dc:f0+  fdivr STi,ST0
dc:f8+  fdiv STi,ST0
dd/0    fld Mq | fisttp Mq | fst Mq | fstp Mq | frstor M | - | fnsave M | fnstsw Mw
dd:c0+  ffree STi
dd:c8+  fxch STi
dd:d0+  fst STi
dd:d8+  fstp STi
dd:e0+  fucom STi
dd:e8+  fucomp STi
de/0    fiadd Mw | fimul Mw | ficom Mw | ficomp Mw | fisub Mw | fisubr Mw | fidiv Mw | fidivr Mw
de:c0+  faddp STi,ST0
de:c8+  fmulp STi,ST0
de:d0+  fcomp STi
de:d9   fcompp
de:e0+  fsubrp STi,ST0
de:e8+  fsubp STi,ST0
de:f0+  fdivrp STi,ST0
de:f8+  fdivp STi,ST0
df/0    fild Mw | fisttp Mw | fist Mw | fistp Mw | fbld Mt | fild Mq | fbstp Mt | fistp Mq
df:c0+  ffreep STi
df:c8+  fxch STi
df:d0+  fstp STi
df:d8+  fstp STi
df:e0   fnstsw AX
df:e8+  fucomip ST0,STi
df:f0+  fcomip ST0,STi
`;
