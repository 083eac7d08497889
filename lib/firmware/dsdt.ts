/** The DSDT: the board as the operating system is told about it. Source: ACPI specification 5.0; device identifiers: PNP0xxx list. */
import {
  type Aml,
  amlBytes,
  and,
  ARG0,
  buffer,
  busNumbers,
  byteFields,
  createWordField,
  decrement,
  device,
  dma,
  eisaId,
  END_TAG,
  findSetRightBit,
  integer,
  ioPorts,
  ioRange,
  irq,
  LOCAL0,
  memoryRange,
  method,
  named,
  not,
  or,
  packageOf,
  path,
  pciConfigRegion,
  resources,
  returns,
  scope,
  sharedIrqs,
  shiftLeft,
  store,
  when,
} from "./aml.ts";
import { PCI_SLOTS, PIIX_PIRQ, pirqOf } from "./pci_config.ts";
import { PIR_IRQ_MASK } from "./pir.ts";

const LINKS = ["LNKA", "LNKB", "LNKC", "LNKD"];
const DISABLED = 0x80;
const PIRQ_FIELD = (pirq: number) => path(`\\_SB.PCI0.ISA.PRQ${pirq}`);

/** Devices of the ISA bridge: name, identifier, resources. */
const ISA_DEVICES: readonly (readonly [name: string, id: string, resources: readonly Aml[]])[] = [
  ["PIC", "PNP0000", [ioPorts(0x20, 2), ioPorts(0xa0, 2), ioPorts(0x4d0, 2), irq(2)]],
  ["TIMR", "PNP0100", [ioPorts(0x40, 4), irq(0)]],
  ["DMAC", "PNP0200", [ioPorts(0x00, 16), ioPorts(0x81, 15), ioPorts(0xc0, 32), dma(4)]],
  ["FPU", "PNP0C04", [ioPorts(0xf0, 16), irq(13)]],
  ["SPKR", "PNP0800", [ioPorts(0x61, 1)]],
  ["RTC", "PNP0B00", [ioPorts(0x70, 8), irq(8)]],
  ["KBD", "PNP0303", [ioPorts(0x60, 1), ioPorts(0x64, 1), irq(1)]],
  ["MOU", "PNP0F13", [irq(12)]],
  ["FDC0", "PNP0700", [ioPorts(0x3f2, 4), ioPorts(0x3f7, 1), irq(6), dma(2)]],
  ["LPT1", "PNP0400", [ioPorts(0x378, 8), irq(7)]],
  ["COM1", "PNP0501", [ioPorts(0x3f8, 8), irq(4)]],
  ["COM2", "PNP0501", [ioPorts(0x2f8, 8), irq(3)]],
];

/** The definition block's terms. */
export function dsdtTerms(hasFloppy: boolean): Uint8Array {
  const devices = ISA_DEVICES.filter(([name]) => name !== "FDC0" || hasFloppy);
  return amlBytes(
    // Soft-off is sleep type 0.
    named("\\_S5", packageOf(integer(0), integer(0), integer(0), integer(0))),
    scope(
      "\\_SB",
      device(
        "PCI0",
        named("_HID", eisaId("PNP0A03")),
        named("_UID", integer(0)),
        named("_CRS", hostBridgeResources()),
        named("_PRT", routing()),
        device(
          "ISA",
          named("_ADR", integer(0x0001_0000)),
          pciConfigRegion("PIRQ", PIIX_PIRQ, 4),
          byteFields("PIRQ", ["PRQ0", "PRQ1", "PRQ2", "PRQ3"]),
          ...devices.map(([name, id, list], i) =>
            device(
              name,
              named("_HID", eisaId(id)),
              named("_UID", integer(i)),
              named("_CRS", resources(...list)),
            )
          ),
        ),
      ),
      ...LINKS.map(linkDevice),
    ),
  );
}

function hostBridgeResources(): Aml {
  return resources(
    busNumbers(0, 0xff),
    ioPorts(0xcf8, 8),
    ioRange(0x0000, 0x0cf7),
    ioRange(0x0d00, 0xffff),
    memoryRange(0xa0000, 0xbffff, true),
    memoryRange(0xe000_0000, 0xfebf_ffff, false),
  );
}

/** Interrupt pins of all slots and the link devices behind them. */
function routing(): Aml {
  const entries: Aml[] = [];
  for (let slot = 1; slot <= PCI_SLOTS; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      entries.push(
        packageOf(integer(slot * 0x10000 + 0xffff), integer(pin), path(LINKS[pirqOf(slot, pin)]), integer(0)),
      );
    }
  }
  return packageOf(...entries);
}

/** A PIRQ of the PIIX as an interrupt link. */
function linkDevice(name: string, pirq: number): Aml {
  const field = PIRQ_FIELD(pirq);
  return device(
    name,
    named("_HID", eisaId("PNP0C0F")),
    named("_UID", integer(pirq + 1)),
    named("_PRS", resources(sharedIrqs(PIR_IRQ_MASK))),
    method(
      "_STA",
      0,
      when(and(field, integer(DISABLED)), returns(integer(0x09))),
      returns(integer(0x0b)),
    ),
    method("_DIS", 0, or(field, integer(DISABLED), field)),
    method(
      "_CRS",
      0,
      named("BUF0", buffer(sharedIrqs(0) + END_TAG)),
      createWordField(path("BUF0"), 1, "IRQW"),
      when(
        not(and(field, integer(DISABLED))),
        store(shiftLeft(integer(1), and(field, integer(0x0f))), path("IRQW")),
      ),
      returns(path("BUF0")),
    ),
    method(
      "_SRS",
      1,
      createWordField(ARG0, 1, "IRQW"),
      findSetRightBit(path("IRQW"), LOCAL0),
      decrement(LOCAL0),
      store(LOCAL0, field),
    ),
  );
}
