/** How the host side reaches a machine's devices: what a script types, moves and sends. */

/** The keyboard as the person in front of the machine sees it. */
export interface KeyboardInput {
  /**
   * Presses (`down`) or releases the key with the `KeyboardEvent.code` name `code`. Pressing a key that is down repeats it.
   * Returns false if the keyboard has no such key.
   */
  key(code: string, down: boolean): boolean;
  /** Bytes that the keyboard and its controller hold and the guest has not read yet: 0 means that typing may go on. */
  readonly unread: number;
  /** The lights as the guest set them. */
  readonly leds: { readonly scroll: boolean; readonly num: boolean; readonly caps: boolean };
}

/** The mouse as its user sees it. */
export interface MouseInput {
  /** Moves by counts: positive is right, down and wheel towards the user. */
  move(dx: number, dy: number, wheel?: number): void;
  /** Presses or releases button `n`: 0 left, 1 right, 2 middle. */
  button(n: number, down: boolean): void;
  /** Bytes of packets that the guest has not read yet. */
  readonly unread: number;
}

/** The near end of a serial line. */
export interface SerialInput {
  /** Queues bytes for the guest to receive, at the speed that the port is programmed for. */
  enqueue(bytes: Uint8Array): void;
  /** Bytes that the guest has not received yet. */
  readonly unread: number;
}
