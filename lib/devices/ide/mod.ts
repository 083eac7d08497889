/** IDE: the PIIX3's two channels, ATA disks and ATAPI CD-ROM drives. */
export { type IdeAttachment, PiixIde, type PiixIdeWires } from "./piix_ide.ts";
export { AtaDisk, defaultGeometry } from "./ata_disk.ts";
export { AtapiCdrom } from "./atapi_cdrom.ts";
