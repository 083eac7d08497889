import { assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { S } from "../state.ts";
import { DefinitionRig } from "./test_rig.ts";

/** Instructions with an immediate, without it: XMM1 or MM1 (or EAX) and XMM2 or MM2. */
const INSTRUCTIONS = {
  pshufd: "660f70ca",
  pshuflw: "f20f70ca",
  pshufhw: "f30f70ca",
  pshufw: "0f70ca",
  shufps: "0fc6ca",
  shufpd: "660fc6ca",
  palignr: "660f3a0fca",
  "palignr mm": "0f3a0fca",
  pblendw: "660f3a0eca",
  blendps: "660f3a0cca",
  blendpd: "660f3a0dca",
  pextrb: "660f3a14c8",
  pextrw: "660fc5c2",
  "pextrw mm": "0fc5c2",
  pextrd: "660f3a16c8",
  pextrq: "66480f3a16c8",
  extractps: "660f3a17c8",
  pinsrb: "660f3a20c8",
  pinsrw: "660fc4c8",
  "pinsrw mm": "0fc4c8",
  pinsrd: "660f3a22c8",
  pinsrq: "66480f3a22c8",
  insertps: "660f3a21ca",
  psrldq: "660f73d9",
  pslldq: "660f73f9",
  psrlw: "660f71d1",
  psrad: "660f72e1",
  psllq: "660f73f1",
  "psraw mm": "0f71e1",
  "pslld mm": "0f72f1",
};

Deno.test("shuffles, inserts, extracts and shifts mean the same whether the immediate is known or not", () => {
  const rig = new DefinitionRig(), random = new Random(1), { buffer, byteOffset } = rig.state;
  const fill = (offset: number, bytes: Uint8Array) => new Uint8Array(buffer, byteOffset + offset).set(bytes);
  const hex = (offset: number, length: number) => new Uint8Array(buffer, byteOffset + offset, length).toHex();
  for (const [name, code] of Object.entries(INSTRUCTIONS)) {
    const codes = Array.from({ length: 256 }, (_, imm) => Uint8Array.of(...Uint8Array.fromHex(code), imm));
    const known = rig.compile(codes, true), found = rig.compile(codes, false);
    for (let imm = 0; imm < 256; imm++) {
      const general = random.bytes(0x80), x87 = random.bytes(0x80), xmm = random.bytes(0x200);
      // Registers of 80 bits in 16 bytes.
      const padded = x87.map((byte, i) => i % 16 < 10 ? byte : 0);
      const results = [known, found].map((runs) => {
        fill(S.GPR, general);
        fill(S.X87, padded);
        fill(S.XMM, xmm);
        assertEquals(runs[imm](), -1);
        return [hex(S.GPR, 0x80), hex(S.X87, 0x90), hex(S.XMM, 0x200)];
      });
      assertEquals(results[0], results[1], `${name} ${imm}`);
    }
  }
});
