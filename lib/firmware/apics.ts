/** Where the board's APICs are and what is wired to them; the ACPI and the MP tables tell it. */

/** Physical address of the local APIC's registers after a reset. */
export const LOCAL_APIC_ADDRESS = 0xfee0_0000;

/** The I/O APIC. */
export const IO_APIC = {
  /** Physical address of its registers. */
  ADDRESS: 0xfec0_0000,
  /** The identification that POST gives it. */
  ID: 1,
  VERSION: 0x11,
  /** The input that an IRQ of the ISA bus is wired to: its own, but for the timer, whose place is the cascade's. */
  inputOf: (irq: number): number => irq === 0 ? 2 : irq,
} as const;
