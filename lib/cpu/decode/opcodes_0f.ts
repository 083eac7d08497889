/**
 * The two- and three-byte opcode maps 0F, 0F 38 and 0F 3A. Source: Intel SDM vol. 2D, tables.
 * Notation: see opcodes_base.ts.
 */
export const TWO_BYTE_OPCODES = `
00/0    sldt Rv | str Rv | lldt Ew | ltr Ew | verr Ew | verw Ew
00/0    sldt Mw | str Mw
01:c8   monitor | mwait | clac | stac
01:d0*  xgetbv
01:d1*  xsetbv
01:f8   swapgs o64 | rdtscp
01/0    sgdt Ms | sidt Ms | lgdt Ms | lidt Ms | smsw Rv | - | lmsw Ew | invlpg M
01/4    smsw Mw
02      lar Gv,Ew | lsl Gv,Ew | - | syscall o64 | clts | sysret o64 | invd | wbinvd | - | ud2
0d/0    prefetch Mb | prefetchw Mb | prefetchwt1 Mb | prefetch Mb | prefetch Mb | prefetch Mb | prefetch Mb | prefetch Mb
0d      nop Ev
10*     movups Vps,Wps | movupd Vpd,Wpd | movss Vss,Wss | movsd Vsd,Wsd
11*     movups Wps,Vps | movupd Wpd,Vpd | movss Wss,Vss | movsd Wsd,Vsd
12*     movhlps Vq,Udq
12*     movlps Vq,Mq | movlpd Vq,Mq | movsldup Vps,Wps | movddup Vpd,Wq
13*     movlps Mq,Vq | movlpd Mq,Vq
14*     unpcklps Vps,Wps | unpcklpd Vpd,Wpd
15*     unpckhps Vps,Wps | unpckhpd Vpd,Wpd
16*     movlhps Vdq,Uq
16*     movhps Vdq,Mq | movhpd Vdq,Mq | movshdup Vps,Wps
17*     movhps Mq,Vdq | movhpd Mq,Vdq
18/0    prefetchnta Mb | prefetcht0 Mb | prefetcht1 Mb | prefetcht2 Mb
1e:fa*  - | - | endbr64
1e:fb*  - | - | endbr32
18      nop Ev | nop Ev | nop Ev | nop Ev | nop Ev | nop Ev | nop Ev | nop Ev
20      mov Rn,Cn anymod | mov Rn,Dn anymod | mov Cn,Rn anymod | mov Dn,Rn anymod
28*     movaps Vps,Wps | movapd Vpd,Wpd
29*     movaps Wps,Vps | movapd Wpd,Vpd
2a*     cvtpi2ps Vps,Qq | cvtpi2pd Vpd,Qq | cvtsi2ss Vss,Ey | cvtsi2sd Vsd,Ey
2b*     movntps Mps,Vps | movntpd Mpd,Vpd
2c*     cvttps2pi Pq,Wq | cvttpd2pi Pq,Wpd | cvttss2si Gy,Wss | cvttsd2si Gy,Wsd
2d*     cvtps2pi Pq,Wq | cvtpd2pi Pq,Wpd | cvtss2si Gy,Wss | cvtsd2si Gy,Wsd
2e*     ucomiss Vss,Wss | ucomisd Vsd,Wsd
2f*     comiss Vss,Wss | comisd Vsd,Wsd
30      wrmsr | rdtsc | rdmsr | rdpmc | sysenter | sysexit
40      cmovo Gv,Ev | cmovno Gv,Ev | cmovb Gv,Ev | cmovnb Gv,Ev | cmovz Gv,Ev | cmovnz Gv,Ev | cmovbe Gv,Ev | cmovnbe Gv,Ev
48      cmovs Gv,Ev | cmovns Gv,Ev | cmovp Gv,Ev | cmovnp Gv,Ev | cmovl Gv,Ev | cmovnl Gv,Ev | cmovle Gv,Ev | cmovnle Gv,Ev
50*     movmskps Gd,Ups | movmskpd Gd,Upd
51*     sqrtps Vps,Wps | sqrtpd Vpd,Wpd | sqrtss Vss,Wss | sqrtsd Vsd,Wsd
52*     rsqrtps Vps,Wps | - | rsqrtss Vss,Wss
53*     rcpps Vps,Wps | - | rcpss Vss,Wss
54*     andps Vps,Wps | andpd Vpd,Wpd
55*     andnps Vps,Wps | andnpd Vpd,Wpd
56*     orps Vps,Wps | orpd Vpd,Wpd
57*     xorps Vps,Wps | xorpd Vpd,Wpd
58*     addps Vps,Wps | addpd Vpd,Wpd | addss Vss,Wss | addsd Vsd,Wsd
59*     mulps Vps,Wps | mulpd Vpd,Wpd | mulss Vss,Wss | mulsd Vsd,Wsd
5a*     cvtps2pd Vpd,Wq | cvtpd2ps Vps,Wpd | cvtss2sd Vsd,Wss | cvtsd2ss Vss,Wsd
5b*     cvtdq2ps Vps,Wdq | cvtps2dq Vdq,Wps | cvttps2dq Vdq,Wps
5c*     subps Vps,Wps | subpd Vpd,Wpd | subss Vss,Wss | subsd Vsd,Wsd
5d*     minps Vps,Wps | minpd Vpd,Wpd | minss Vss,Wss | minsd Vsd,Wsd
5e*     divps Vps,Wps | divpd Vpd,Wpd | divss Vss,Wss | divsd Vsd,Wsd
5f*     maxps Vps,Wps | maxpd Vpd,Wpd | maxss Vss,Wss | maxsd Vsd,Wsd
60*     punpcklbw Pq,Qd | punpcklbw Vdq,Wdq
61*     punpcklwd Pq,Qd | punpcklwd Vdq,Wdq
62*     punpckldq Pq,Qd | punpckldq Vdq,Wdq
63*     packsswb Pq,Qq | packsswb Vdq,Wdq
64*     pcmpgtb Pq,Qq | pcmpgtb Vdq,Wdq
65*     pcmpgtw Pq,Qq | pcmpgtw Vdq,Wdq
66*     pcmpgtd Pq,Qq | pcmpgtd Vdq,Wdq
67*     packuswb Pq,Qq | packuswb Vdq,Wdq
68*     punpckhbw Pq,Qq | punpckhbw Vdq,Wdq
69*     punpckhwd Pq,Qq | punpckhwd Vdq,Wdq
6a*     punpckhdq Pq,Qq | punpckhdq Vdq,Wdq
6b*     packssdw Pq,Qq | packssdw Vdq,Wdq
6c*     - | punpcklqdq Vdq,Wdq
6d*     - | punpckhqdq Vdq,Wdq
6e*     movd Pq,Ed w0 | movd Vdq,Ed w0
6e*     movq Pq,Eq w1 | movq Vdq,Eq w1
6f*     movq Pq,Qq | movdqa Vdq,Wdq | movdqu Vdq,Wdq
70*     pshufw Pq,Qq,uIb | pshufd Vdq,Wdq,uIb | pshufhw Vdq,Wdq,uIb | pshuflw Vdq,Wdq,uIb
71/2*   psrlw Nq,uIb | psrlw Udq,uIb
71/4*   psraw Nq,uIb | psraw Udq,uIb
71/6*   psllw Nq,uIb | psllw Udq,uIb
72/2*   psrld Nq,uIb | psrld Udq,uIb
72/4*   psrad Nq,uIb | psrad Udq,uIb
72/6*   pslld Nq,uIb | pslld Udq,uIb
73/2*   psrlq Nq,uIb | psrlq Udq,uIb
73/3*   - | psrldq Udq,uIb
73/6*   psllq Nq,uIb | psllq Udq,uIb
73/7*   - | pslldq Udq,uIb
74*     pcmpeqb Pq,Qq | pcmpeqb Vdq,Wdq
75*     pcmpeqw Pq,Qq | pcmpeqw Vdq,Wdq
76*     pcmpeqd Pq,Qq | pcmpeqd Vdq,Wdq
77*     emms
7c*     - | haddpd Vpd,Wpd | - | haddps Vps,Wps
7d*     - | hsubpd Vpd,Wpd | - | hsubps Vps,Wps
7e*     movd Ed,Pd w0 | movd Ed,Vd w0
7e*     movq Eq,Pq w1 | movq Eq,Vq w1 | movq Vq,Wq
7f*     movq Qq,Pq | movdqa Wdq,Vdq | movdqu Wdq,Vdq
80      jo Jz f64 | jno Jz f64 | jb Jz f64 | jnb Jz f64 | jz Jz f64 | jnz Jz f64 | jbe Jz f64 | jnbe Jz f64
88      js Jz f64 | jns Jz f64 | jp Jz f64 | jnp Jz f64 | jl Jz f64 | jnl Jz f64 | jle Jz f64 | jnle Jz f64
90      seto Eb | setno Eb | setb Eb | setnb Eb | setz Eb | setnz Eb | setbe Eb | setnbe Eb
98      sets Eb | setns Eb | setp Eb | setnp Eb | setl Eb | setnl Eb | setle Eb | setnle Eb
a0      push FS d64 | pop FS d64 | cpuid | bt Ev,Gv | shld Ev,Gv,uIb | shld Ev,Gv,CL
a8      push GS d64 | pop GS d64 | rsm | bts Ev,Gv lock | shrd Ev,Gv,uIb | shrd Ev,Gv,CL
ae/0*   fxsave M | - | rdfsbase Ry o64
ae/1*   fxrstor M | - | rdgsbase Ry o64
ae/2*   ldmxcsr Md | - | wrfsbase Ry o64
ae/3*   stmxcsr Md | - | wrgsbase Ry o64
ae/4*   xsave M
ae/5*   xrstor M
ae/6*   xsaveopt M | clwb Mb
ae/7*   clflush Mb | clflushopt Mb
ae:e8+* lfence
ae:f0+* mfence
ae:f8+* sfence
af      imul Gv,Ev
b0      cmpxchg Eb,Gb lock | cmpxchg Ev,Gv lock | lss Gv,Mp | btr Ev,Gv lock
b4      lfs Gv,Mp | lgs Gv,Mp | movzx Gv,Eb | movzx Gv,Ew
b8*     - | - | popcnt Gv,Ev
b9      ud1 Gv,Ev
ba/4    bt Ev,uIb | bts Ev,uIb lock | btr Ev,uIb lock | btc Ev,uIb lock
bb      btc Ev,Gv lock
bc*     bsf Gv,Ev | bsf Gv,Ev | tzcnt Gv,Ev | bsf Gv,Ev
bd*     bsr Gv,Ev | bsr Gv,Ev | lzcnt Gv,Ev | bsr Gv,Ev
be      movsx Gv,Eb | movsx Gv,Ew
c0      xadd Eb,Gb lock | xadd Ev,Gv lock
c2*     cmpps Vps,Wps,uIb | cmppd Vpd,Wpd,uIb | cmpss Vss,Wss,uIb | cmpsd Vsd,Wsd,uIb
c3*     movnti My,Gy
c4*     pinsrw Pq,Rd,uIb | pinsrw Vdq,Rd,uIb
c4*     pinsrw Pq,Mw,uIb | pinsrw Vdq,Mw,uIb
c5*     pextrw Gd,Nq,uIb | pextrw Gd,Udq,uIb
c6*     shufps Vps,Wps,uIb | shufpd Vpd,Wpd,uIb
c7/1    cmpxchg8b Mq lock w0
c7/1    cmpxchg16b Mdq lock w1
c7/3*   xrstors M
c7/4*   xsavec M
c7/5*   xsaves M
c7/6*   rdrand Rv | rdrand Rv
c7/7*   rdseed Rv | rdseed Rv | rdpid Rn
c8+     bswap Zv
d0*     - | addsubpd Vpd,Wpd | - | addsubps Vps,Wps
d1*     psrlw Pq,Qq | psrlw Vdq,Wdq
d2*     psrld Pq,Qq | psrld Vdq,Wdq
d3*     psrlq Pq,Qq | psrlq Vdq,Wdq
d4*     paddq Pq,Qq | paddq Vdq,Wdq
d5*     pmullw Pq,Qq | pmullw Vdq,Wdq
d6*     - | movq Wq,Vq | movq2dq Vdq,Nq | movdq2q Pq,Uq
d7*     pmovmskb Gd,Nq | pmovmskb Gd,Udq
d8*     psubusb Pq,Qq | psubusb Vdq,Wdq
d9*     psubusw Pq,Qq | psubusw Vdq,Wdq
da*     pminub Pq,Qq | pminub Vdq,Wdq
db*     pand Pq,Qq | pand Vdq,Wdq
dc*     paddusb Pq,Qq | paddusb Vdq,Wdq
dd*     paddusw Pq,Qq | paddusw Vdq,Wdq
de*     pmaxub Pq,Qq | pmaxub Vdq,Wdq
df*     pandn Pq,Qq | pandn Vdq,Wdq
e0*     pavgb Pq,Qq | pavgb Vdq,Wdq
e1*     psraw Pq,Qq | psraw Vdq,Wdq
e2*     psrad Pq,Qq | psrad Vdq,Wdq
e3*     pavgw Pq,Qq | pavgw Vdq,Wdq
e4*     pmulhuw Pq,Qq | pmulhuw Vdq,Wdq
e5*     pmulhw Pq,Qq | pmulhw Vdq,Wdq
e6*     - | cvttpd2dq Vdq,Wpd | cvtdq2pd Vpd,Wq | cvtpd2dq Vdq,Wpd
e7*     movntq Mq,Pq | movntdq Mdq,Vdq
e8*     psubsb Pq,Qq | psubsb Vdq,Wdq
e9*     psubsw Pq,Qq | psubsw Vdq,Wdq
ea*     pminsw Pq,Qq | pminsw Vdq,Wdq
eb*     por Pq,Qq | por Vdq,Wdq
ec*     paddsb Pq,Qq | paddsb Vdq,Wdq
ed*     paddsw Pq,Qq | paddsw Vdq,Wdq
ee*     pmaxsw Pq,Qq | pmaxsw Vdq,Wdq
ef*     pxor Pq,Qq | pxor Vdq,Wdq
f0*     - | - | - | lddqu Vdq,Mdq
f1*     psllw Pq,Qq | psllw Vdq,Wdq
f2*     pslld Pq,Qq | pslld Vdq,Wdq
f3*     psllq Pq,Qq | psllq Vdq,Wdq
f4*     pmuludq Pq,Qq | pmuludq Vdq,Wdq
f5*     pmaddwd Pq,Qq | pmaddwd Vdq,Wdq
f6*     psadbw Pq,Qq | psadbw Vdq,Wdq
f7*     maskmovq Pq,Nq | maskmovdqu Vdq,Udq
f8*     psubb Pq,Qq | psubb Vdq,Wdq
f9*     psubw Pq,Qq | psubw Vdq,Wdq
fa*     psubd Pq,Qq | psubd Vdq,Wdq
fb*     psubq Pq,Qq | psubq Vdq,Wdq
fc*     paddb Pq,Qq | paddb Vdq,Wdq
fd*     paddw Pq,Qq | paddw Vdq,Wdq
fe*     paddd Pq,Qq | paddd Vdq,Wdq
ff      ud0 Gv,Ev
`;

/** The map behind 0F 38. */
export const OPCODES_0F38 = `
00*   pshufb Pq,Qq | pshufb Vdq,Wdq
01*   phaddw Pq,Qq | phaddw Vdq,Wdq
02*   phaddd Pq,Qq | phaddd Vdq,Wdq
03*   phaddsw Pq,Qq | phaddsw Vdq,Wdq
04*   pmaddubsw Pq,Qq | pmaddubsw Vdq,Wdq
05*   phsubw Pq,Qq | phsubw Vdq,Wdq
06*   phsubd Pq,Qq | phsubd Vdq,Wdq
07*   phsubsw Pq,Qq | phsubsw Vdq,Wdq
08*   psignb Pq,Qq | psignb Vdq,Wdq
09*   psignw Pq,Qq | psignw Vdq,Wdq
0a*   psignd Pq,Qq | psignd Vdq,Wdq
0b*   pmulhrsw Pq,Qq | pmulhrsw Vdq,Wdq
10*   - | pblendvb Vdq,Wdq
14*   - | blendvps Vps,Wps
15*   - | blendvpd Vpd,Wpd
17*   - | ptest Vdq,Wdq
1c*   pabsb Pq,Qq | pabsb Vdq,Wdq
1d*   pabsw Pq,Qq | pabsw Vdq,Wdq
1e*   pabsd Pq,Qq | pabsd Vdq,Wdq
20*   - | pmovsxbw Vdq,Wq
21*   - | pmovsxbd Vdq,Wd
22*   - | pmovsxbq Vdq,Ww
23*   - | pmovsxwd Vdq,Wq
24*   - | pmovsxwq Vdq,Wd
25*   - | pmovsxdq Vdq,Wq
28*   - | pmuldq Vdq,Wdq
29*   - | pcmpeqq Vdq,Wdq
2a*   - | movntdqa Vdq,Mdq
2b*   - | packusdw Vdq,Wdq
30*   - | pmovzxbw Vdq,Wq
31*   - | pmovzxbd Vdq,Wd
32*   - | pmovzxbq Vdq,Ww
33*   - | pmovzxwd Vdq,Wq
34*   - | pmovzxwq Vdq,Wd
35*   - | pmovzxdq Vdq,Wq
37*   - | pcmpgtq Vdq,Wdq
38*   - | pminsb Vdq,Wdq
39*   - | pminsd Vdq,Wdq
3a*   - | pminuw Vdq,Wdq
3b*   - | pminud Vdq,Wdq
3c*   - | pmaxsb Vdq,Wdq
3d*   - | pmaxsd Vdq,Wdq
3e*   - | pmaxuw Vdq,Wdq
3f*   - | pmaxud Vdq,Wdq
40*   - | pmulld Vdq,Wdq
41*   - | phminposuw Vdq,Wdq
82*   - | invpcid Gn,Mdq
c8*   sha1nexte Vdq,Wdq
c9*   sha1msg1 Vdq,Wdq
ca*   sha1msg2 Vdq,Wdq
cb*   sha256rnds2 Vdq,Wdq
cc*   sha256msg1 Vdq,Wdq
cd*   sha256msg2 Vdq,Wdq
db*   - | aesimc Vdq,Wdq
dc*   - | aesenc Vdq,Wdq
dd*   - | aesenclast Vdq,Wdq
de*   - | aesdec Vdq,Wdq
df*   - | aesdeclast Vdq,Wdq
f0*   movbe Gv,Mv | movbe Gv,Mv | - | crc32 Gy,Eb
f1*   movbe Mv,Gv | movbe Mv,Gv | - | crc32 Gy,Ev
f6*   - | adcx Gy,Ey | adox Gy,Ey
`;

/** The map behind 0F 3A. */
export const OPCODES_0F3A = `
08*   - | roundps Vps,Wps,uIb
09*   - | roundpd Vpd,Wpd,uIb
0a*   - | roundss Vss,Wss,uIb
0b*   - | roundsd Vsd,Wsd,uIb
0c*   - | blendps Vps,Wps,uIb
0d*   - | blendpd Vpd,Wpd,uIb
0e*   - | pblendw Vdq,Wdq,uIb
0f*   palignr Pq,Qq,uIb | palignr Vdq,Wdq,uIb
14*   - | pextrb Rd,Vdq,uIb
14*   - | pextrb Mb,Vdq,uIb
15*   - | pextrw Rd,Vdq,uIb
15*   - | pextrw Mw,Vdq,uIb
16*   - | pextrd Ed,Vdq,uIb w0
16*   - | pextrq Eq,Vdq,uIb w1
17*   - | extractps Ed,Vdq,uIb
20*   - | pinsrb Vdq,Rd,uIb
20*   - | pinsrb Vdq,Mb,uIb
21*   - | insertps Vdq,Udq,uIb
21*   - | insertps Vdq,Md,uIb
22*   - | pinsrd Vdq,Ed,uIb w0
22*   - | pinsrq Vdq,Eq,uIb w1
40*   - | dpps Vps,Wps,uIb
41*   - | dppd Vpd,Wpd,uIb
42*   - | mpsadbw Vdq,Wdq,uIb
44*   - | pclmulqdq Vdq,Wdq,uIb
60*   - | pcmpestrm Vdq,Wdq,uIb
61*   - | pcmpestri Vdq,Wdq,uIb
62*   - | pcmpistrm Vdq,Wdq,uIb
63*   - | pcmpistri Vdq,Wdq,uIb
cc*   sha1rnds4 Vdq,Wdq,uIb
df*   - | aeskeygenassist Vdq,Wdq,uIb
`;
