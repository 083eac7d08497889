/** What POST does to the PCI bus: addresses for base address registers, interrupt routes, and the power management block. */
import { type PciConfig, pirqOf } from "./pci_config.ts";

/** IRQs that PIRQA–PIRQD are routed to. */
export const PIRQ_IRQS: readonly number[] = [10, 10, 11, 11];

/** I/O base of the PIIX4's power management registers, and the port that switches SCI mode on. */
export const PM_BASE = 0xb000;

const IO_WINDOW = { start: 0xc000, end: 0x10000 };
const MEMORY_WINDOW = { start: 0xe000_0000, end: 0xfec0_0000 };
const COMMAND = 0x04, BAR0 = 0x10, INTERRUPT_LINE = 0x3c, INTERRUPT_PIN = 0x3d;
const PIIX4_PM = 0x7113_8086;

/** Gives every base address register of bus 0 an address, largest first, and enables decoding; routes interrupts. */
export function setUpPci(config: PciConfig): void {
  const bars: { address: number; register: number; size: number; io: boolean }[] = [];
  const functions = config.functions();
  for (const address of functions) {
    const header = config.read(address, 0x0e, 1) & 0x7f;
    if (header !== 0) continue;
    const command = config.read(address, COMMAND, 2);
    config.write(address, COMMAND, command & ~3, 2);
    for (let register = BAR0; register < BAR0 + 24; register += 4) {
      config.write(address, register, 0xffff_ffff, 4);
      const answer = config.read(address, register, 4);
      if (answer === 0 || answer === 0xffff_ffff) continue;
      const io = (answer & 1) !== 0;
      const mask = io ? (answer & 0xfffc) : (answer & 0xffff_fff0);
      const size = io ? (-mask & 0xffff) >>> 0 : (-mask) >>> 0;
      if (size !== 0) bars.push({ address, register, size, io });
      // The upper half of a 64-bit register stays 0.
      if (!io && (answer & 6) === 4) {
        register += 4;
        config.write(address, register, 0, 4);
      }
    }
  }
  bars.sort((a, b) => b.size - a.size || a.address - b.address || a.register - b.register);
  const next = { io: IO_WINDOW.start, memory: MEMORY_WINDOW.start };
  for (const { address, register, size, io } of bars) {
    const kind = io ? "io" : "memory";
    const base = Math.ceil(next[kind] / size) * size;
    if (base + size > (io ? IO_WINDOW : MEMORY_WINDOW).end) {
      config.write(address, register, 0, 4);
      continue;
    }
    config.write(address, register, base, 4);
    next[kind] = base + size;
  }
  for (let pirq = 0; pirq < 4; pirq++) config.setPirq(pirq, PIRQ_IRQS[pirq]);
  for (const address of functions) {
    config.write(address, COMMAND, config.read(address, COMMAND, 2) | 0x103, 2);
    const pin = config.read(address, INTERRUPT_PIN, 1);
    if (pin >= 1 && pin <= 4) config.write(address, INTERRUPT_LINE, PIRQ_IRQS[pirqOf(address >> 3, pin - 1)], 1);
    setUpPowerManagement(config, address);
  }
}

/** PIIX4 function 3: PMBA at B000h, PMREGMISC enables its decoding; its interrupt is the SCI, IRQ 9. */
function setUpPowerManagement(config: PciConfig, address: number): void {
  if (config.read(address, 0, 4) !== PIIX4_PM) return;
  config.write(address, 0x40, PM_BASE | 1, 4);
  config.write(address, 0x80, 1, 1);
  config.write(address, INTERRUPT_LINE, 9, 1);
}
