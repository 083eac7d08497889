/**
 * The data blocks that an ATAPI CD-ROM answers packet commands with: pure functions of what is in the drive.
 * Sources: MMC-3 (T10 1363-D), SPC-2 (T10 1236-D); for ATAPI's INQUIRY SFF-8020i.
 */

/** Packet operation codes. */
export const Packet = {
  TEST_UNIT_READY: 0x00,
  REQUEST_SENSE: 0x03,
  INQUIRY: 0x12,
  MODE_SENSE_6: 0x1a,
  START_STOP_UNIT: 0x1b,
  PREVENT_ALLOW_MEDIUM_REMOVAL: 0x1e,
  READ_CAPACITY: 0x25,
  READ_10: 0x28,
  SEEK_10: 0x2b,
  READ_TOC: 0x43,
  GET_CONFIGURATION: 0x46,
  GET_EVENT_STATUS_NOTIFICATION: 0x4a,
  READ_DISC_INFORMATION: 0x51,
  MODE_SENSE_10: 0x5a,
  READ_12: 0xa8,
  SET_CD_SPEED: 0xbb,
  MECHANISM_STATUS: 0xbd,
  READ_CD: 0xbe,
} as const;

/** A sense key with its additional sense code and qualifier. */
export type Sense = readonly [key: number, asc: number, ascq: number];

/** The sense data that this drive reports. */
export const Sense = {
  NONE: [0x0, 0x00, 0x00],
  MEDIUM_NOT_PRESENT: [0x2, 0x3a, 0x01],
  MEDIUM_NOT_PRESENT_TRAY_OPEN: [0x2, 0x3a, 0x02],
  UNRECOVERED_READ_ERROR: [0x3, 0x11, 0x00],
  INVALID_OPERATION_CODE: [0x5, 0x20, 0x00],
  LBA_OUT_OF_RANGE: [0x5, 0x21, 0x00],
  INVALID_FIELD_IN_PACKET: [0x5, 0x24, 0x00],
  SAVING_NOT_SUPPORTED: [0x5, 0x39, 0x00],
  REMOVAL_PREVENTED: [0x5, 0x53, 0x02],
  ILLEGAL_MODE_FOR_TRACK: [0x5, 0x64, 0x00],
  MEDIUM_MAY_HAVE_CHANGED: [0x6, 0x28, 0x00],
} as const satisfies Record<string, Sense>;

/** Media events of GET EVENT STATUS NOTIFICATION. */
export const MediaEvent = { NO_CHANGE: 0, EJECT_REQUEST: 1, NEW_MEDIA: 2, MEDIA_REMOVAL: 3 } as const;

/** What the answers depend on. */
export interface DriveView {
  /** Sectors of 2048 bytes on the medium; 0 without one. */
  readonly sectors: number;
  readonly present: boolean;
  readonly trayOpen: boolean;
  readonly locked: boolean;
}

/** Sectors from which on a medium counts as a DVD: more than a CD of 99 minutes holds. */
const DVD_SECTORS = 99 * 60 * 75;
/** 40 times the speed of a CD, in kilobytes a second. */
const SPEED = 7056;

function be16(value: number): number[] {
  return [value >>> 8 & 0xff, value & 0xff];
}

function be32(value: number): number[] {
  return [value >>> 24 & 0xff, value >>> 16 & 0xff, value >>> 8 & 0xff, value & 0xff];
}

/** An address in a table of contents: as it is, or as minute, second and frame. */
function discAddress(lba: number, msf: boolean): number[] {
  if (!msf) return be32(lba);
  const frames = lba + 150;
  return [0, Math.floor(frames / 4500) & 0xff, Math.floor(frames / 75) % 60, frames % 75];
}

/** Fixed-format sense data of REQUEST SENSE. */
export function senseData([key, asc, ascq]: Sense): number[] {
  return [0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0];
}

/** INQUIRY data. */
export function inquiryData(): number[] {
  const text = "BOOTWRIGCD-ROM          1.0 ";
  return [0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0, ...new TextEncoder().encode(text)];
}

/** READ CAPACITY data. */
export function capacityData(drive: DriveView): number[] {
  return [...be32(drive.sectors - 1), ...be32(2048)];
}

/** READ TOC data: one data track. Null if `format` or `start` (first track or session wanted) is not valid. */
export function tocData(drive: DriveView, format: number, start: number, msf: boolean): number[] | null {
  const track = [0, 0x14, 1, 0, ...discAddress(0, msf)];
  switch (format) {
    case 0: {
      if (start > 1 && start !== 0xaa) return null;
      const entries = [...start <= 1 ? track : [], 0, 0x16, 0xaa, 0, ...discAddress(drive.sectors, msf)];
      return [...be16(entries.length + 2), 1, 1, ...entries];
    }
    case 1:
      return [...be16(10), 1, 1, ...track];
    case 2: {
      const point = (control: number, point: number, address: number[]) => [1, control, 0, point, 0, 0, 0, ...address];
      const entries = [
        ...point(0x14, 0xa0, [0, 1, 0, 0]),
        ...point(0x14, 0xa1, [0, 1, 0, 0]),
        ...point(0x14, 0xa2, discAddress(drive.sectors, true)),
        ...point(0x14, 1, discAddress(0, true)),
      ];
      return [...be16(entries.length + 2), 1, 1, ...entries];
    }
    default:
      return null;
  }
}

/** The values of a mode page in its current and default state. */
function modePage(page: number, drive: DriveView): number[] | null {
  switch (page) {
    case 0x01: // read error recovery
      return [0x01, 6, 0, 5, 0, 0, 0, 0];
    case 0x0d: // CD device parameters
      return [0x0d, 6, 0, 0, 0, 60, 0, 75];
    case 0x0e: // audio control
      return [0x0e, 14, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    case 0x2a: // capabilities and mechanical status: reads CD-R, CD-RW and DVD-ROM; tray, lock, eject
      return [
        ...[0x2a, 18, 0x0b, 0, 0x70, 0, 0x29 | (drive.locked ? 2 : 0), 0],
        ...be16(SPEED),
        ...be16(0),
        ...be16(128),
        ...be16(SPEED),
        ...[0, 0, 0, 0],
      ];
    default:
      return null;
  }
}

/** The mode pages of the drive, in the order of MODE SENSE for all pages. */
const MODE_PAGES = [0x01, 0x0d, 0x0e, 0x2a];

/**
 * MODE SENSE data with the 8-byte (`long`) or the 4-byte header. `control` is the page control field: 1 asks which bits
 * can be changed (none), 0 and 2 for the values. Null if there is no such page.
 */
export function modeSenseData(drive: DriveView, page: number, control: number, long: boolean): number[] | null {
  const wanted = page === 0x3f ? MODE_PAGES : [page];
  const pages: number[] = [];
  for (const number of wanted) {
    const values = modePage(number, drive);
    if (values === null) return null;
    pages.push(...control === 1 ? values.map((value, i) => i < 2 ? value : 0) : values);
  }
  const mediumType = drive.trayOpen ? 0x71 : drive.present ? 0x01 : 0x70;
  if (!long) return [pages.length + 3, mediumType, 0, 0, ...pages];
  return [...be16(pages.length + 6), mediumType, 0, 0, 0, 0, 0, ...pages];
}

const Profile = { CD_ROM: 0x0008, DVD_ROM: 0x0010 };

/** GET CONFIGURATION data: `request` 0 = all features from `start`, 1 = those that are current, 2 = only `start`. */
export function configurationData(drive: DriveView, request: number, start: number): number[] {
  const dvd = drive.present && drive.sectors > DVD_SECTORS, cd = drive.present && !dvd;
  const profile = dvd ? Profile.DVD_ROM : cd ? Profile.CD_ROM : 0;
  const flag = (value: boolean) => value ? 1 : 0;
  const features: { code: number; version: number; persistent: boolean; current: boolean; data: number[] }[] = [
    {
      code: 0x0000, // profile list
      version: 0,
      persistent: true,
      current: true,
      data: [...be16(Profile.DVD_ROM), flag(dvd), 0, ...be16(Profile.CD_ROM), flag(cd), 0],
    },
    { code: 0x0001, version: 0, persistent: true, current: true, data: be32(2) }, // core: ATAPI
    { code: 0x0003, version: 0, persistent: true, current: true, data: [0x29, 0, 0, 0] }, // removable medium
    // Random readable: block size, blocks to a unit, no error recovery page.
    { code: 0x0010, version: 0, persistent: false, current: drive.present, data: [...be32(2048), ...be16(1), 0, 0] },
    { code: 0x001e, version: 0, persistent: false, current: cd, data: [] }, // CD read
    { code: 0x001f, version: 0, persistent: false, current: dvd, data: [] }, // DVD read
  ];
  const wanted = features.filter(({ code, current }) =>
    request === 2 ? code === start : code >= start && (request === 0 || current)
  );
  const descriptors = wanted.flatMap(({ code, version, persistent, current, data }) => [
    ...be16(code),
    version << 2 | flag(persistent) << 1 | flag(current),
    data.length,
    ...data,
  ]);
  return [...be32(descriptors.length + 4), 0, 0, ...be16(profile), ...descriptors];
}

/** GET EVENT STATUS NOTIFICATION data for the classes asked for: media events are the only ones. */
export function eventData(drive: DriveView, classes: number, event: number): number[] {
  const MEDIA = 4;
  if ((classes & 1 << MEDIA) === 0) return [...be16(2), 0x80, 1 << MEDIA];
  return [...be16(6), MEDIA, 1 << MEDIA, event, (drive.present ? 2 : 0) | (drive.trayOpen ? 1 : 0), 0, 0];
}

/** MECHANISM STATUS data. */
export function mechanismData(drive: DriveView): number[] {
  return [0, drive.trayOpen ? 0x10 : 0, 0, 0, 0, 0, 0, 0];
}

/** READ DISC INFORMATION data: a finished disc with one session of one track. */
export function discInformation(): number[] {
  return [
    ...be16(32),
    0x0e,
    1,
    1,
    1,
    1,
    0x20,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    ...new Array(8).fill(0xff),
    ...new Array(10).fill(0),
  ];
}
