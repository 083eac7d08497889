/** The PS/2 wire between the keyboard controller and a keyboard or mouse. */

/** A keyboard or mouse, seen from the controller. */
export interface Ps2Device {
  /** Bytes that wait to be sent to the host. */
  readonly waiting: number;
  /** Takes the next waiting byte. */
  take(): number;
  /** A byte from the host. */
  receive(byte: number): void;
}

/** A socket of the controller, seen from the device. */
export interface Ps2Port {
  /** Plugs the device in. */
  connect(device: Ps2Device): void;
  /** The device has something to send. */
  notify(): void;
  /** Bytes of this device that the controller holds for the guest. */
  readonly held: number;
}
