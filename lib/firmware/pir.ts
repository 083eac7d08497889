/** The PCI IRQ routing table. Source: Microsoft, "PCI IRQ Routing Table Specification" 1.0. */
import { PCI_SLOTS, PIIX_PIRQ, pirqOf } from "./pci_config.ts";
import { checksum } from "./checksum.ts";

/** IRQs that a PCI interrupt may be routed to: 5, 10 and 11. */
export const PIR_IRQ_MASK = 0x0c20;

/** The slot entries, 16 bytes each: bus, device, four (link, IRQ mask) pairs, slot number. */
export function pirEntries(): Uint8Array {
  const bytes = new Uint8Array(PCI_SLOTS * 16);
  for (let slot = 0; slot < PCI_SLOTS; slot++) {
    const device = slot + 1, at = slot * 16;
    bytes[at + 1] = device << 3;
    for (let pin = 0; pin < 4; pin++) {
      bytes[at + 2 + pin * 3] = PIIX_PIRQ + pirqOf(device, pin);
      bytes[at + 3 + pin * 3] = PIR_IRQ_MASK & 0xff;
      bytes[at + 4 + pin * 3] = PIR_IRQ_MASK >> 8;
    }
    // Device 1 is on the board; the others are slots.
    bytes[at + 14] = slot;
  }
  return bytes;
}

/** The whole `$PIR` table. */
export function pirTable(): Uint8Array {
  const entries = pirEntries();
  const table = new Uint8Array(32 + entries.length);
  const view = new DataView(table.buffer);
  table.set([0x24, 0x50, 0x49, 0x52]);
  view.setUint16(4, 0x0100, true);
  view.setUint16(6, table.length, true);
  // The router is the PIIX's ISA bridge, device 1 function 0; compatible with the PIIX.
  table[9] = 1 << 3;
  view.setUint32(12, 0x122e8086, true);
  table.set(entries, 32);
  table[31] = checksum(table);
  return table;
}
