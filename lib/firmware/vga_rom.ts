/**
 * The video ROM, C0000–C7FFF: the fonts and tables that INT 10h hands out pointers to. Its services are entered at the
 * system ROM's INT 10h entry; its own initialisation has nothing to do.
 */
import { Assembler, Op } from "./assembler.ts";
import { checksum } from "./checksum.ts";

/** Where the video ROM lies, and how long it is. */
export const VIDEO_ROM = { SEGMENT: 0xc000, ADDRESS: 0xc0000, SIZE: 0x8000 } as const;

/** Character shapes for all 256 characters, one byte a line, by height. */
export interface BiosFonts {
  readonly 8: Uint8Array;
  readonly 14: Uint8Array;
  readonly 16: Uint8Array;
}

/** The ROM's image and the offsets of what lies in it. */
export interface VideoRom {
  readonly image: Uint8Array;
  /** Offsets of the fonts by height. */
  readonly fonts: Readonly<Record<8 | 14 | 16, number>>;
  /** An empty list of changed glyphs, which is what the alternate 9-dot fonts are here. */
  readonly alternateFont: number;
  /** Table of static functionality for INT 10h AH=1Bh. */
  readonly functionality: number;
  /** The pointer table that 40:A8 names. */
  readonly savePointers: number;
  /** OEM, vendor and product strings of the VESA information block. */
  readonly oemString: number;
  /** Far-call entry that switches VESA banks. */
  readonly windowFunction: number;
}

/** INT 10h AH=1Bh: modes 0–7 and 0Dh–13h, 200/350/400 lines… of which 400 is programmed, all functions of a VGA. */
const FUNCTIONALITY = [0xff, 0xe0, 0x0f, 0, 0, 0, 0, 0x04, 8, 2, 0xe7, 0x0e, 0, 0, 0, 0];

/** Builds the ROM. */
export function buildVideoRom(fonts: BiosFonts): VideoRom {
  const asm = new Assembler(VIDEO_ROM.SIZE, 0);
  asm.db(0x55, 0xaa, VIDEO_ROM.SIZE / 512);
  asm.emit(Op.RETF);
  asm.org(0x1e);
  asm.text("IBM VGA compatible");
  asm.org(0x80);
  const at = (emit: () => void): number => {
    asm.align(16);
    const offset = asm.here;
    emit();
    return offset;
  };
  const functionality = at(() => asm.db(...FUNCTIONALITY));
  const alternateFont = at(() => asm.db(0));
  const oemString = at(() => {
    asm.text("Bootwright");
    asm.db(0);
  });
  const windowFunction = at(() => {
    asm.movAx(0x4f05);
    asm.int(0x10);
    asm.emit(Op.RETF);
  });
  const secondary = at(() => {
    asm.dw(26);
    asm.dd(...new Array<number>(6).fill(0));
  });
  const savePointers = at(() => {
    asm.dd(...new Array<number>(4).fill(0));
    asm.dw(secondary, VIDEO_ROM.SEGMENT);
    asm.dd(0, 0);
  });
  const offsets = {
    8: at(() => asm.emit(fonts[8])),
    14: at(() => asm.emit(fonts[14])),
    16: at(() => asm.emit(fonts[16])),
  };
  const image = asm.finish();
  image[image.length - 1] = checksum(image.subarray(0, -1));
  return { image, fonts: offsets, alternateFont, functionality, savePointers, oemString, windowFunction };
}
