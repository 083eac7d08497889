/** Media for floppy, disk and CD drives. */
export { ImageError } from "./errors.ts";
export { MemoryDisk } from "./memory_disk.ts";
export { RawImage, type RawImageOptions, type ReadAt, type WriteAt } from "./raw_image.ts";
export { type OverlayContent, OverlayDisk, type OverlayOptions } from "./overlay_disk.ts";
export { PaddedDisk } from "./padded_disk.ts";
export { FLOPPY_FORMATS, type FloppyFormat, type FloppyMedium, formatSize, openFloppy } from "./floppy_format.ts";
export { biosGeometry, type Geometry } from "./geometry.ts";
export { CD_SECTOR, openCd } from "./iso9660.ts";
export { type BootCatalog, type BootEntry, type BootMedia, readBootCatalog } from "./el_torito.ts";
