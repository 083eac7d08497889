/** The guest's mouse. */
import { checkOptions, type GuestContext, limits, WAIT_OPTIONS, type WaitOptions } from "./context.ts";
import { OptionError } from "./errors.ts";
import { suggestion } from "./nearest.ts";

/** A button of the mouse. */
export type MouseButton = "left" | "right" | "middle";

const BUTTONS: Record<MouseButton, number> = { left: 0, right: 1, middle: 2 };
/** Most counts that one packet of a PS/2 mouse carries in a direction. */
const LARGEST_STEP = 127;
/** Most steps of the wheel that one packet carries. */
const LARGEST_WHEEL_STEP = 7;
/** Instructions between two looks at whether the guest has read a packet. */
const READ_STEP = 20_000;

/**
 * A PS/2 mouse with three buttons and a wheel. Movements are relative, in counts, as the hardware's are: how far the
 * pointer goes is the guest's business. The next movement follows when the guest has read the last one.
 */
export class Mouse {
  readonly #context: GuestContext;

  /** @internal Made by {@link Guest}, not by scripts. */
  constructor(context: GuestContext) {
    this.#context = context;
  }

  /** Moves by `dx` counts to the right and `dy` down; long ways go in steps. */
  async move(dx: number, dy: number, options: WaitOptions = {}): Promise<void> {
    checkOptions(options, WAIT_OPTIONS, "move");
    if (!Number.isInteger(dx) || !Number.isInteger(dy)) {
      throw new OptionError(`a mouse moves by whole counts, not ${dx}, ${dy}`);
    }
    const steps = Math.max(1, Math.ceil(Math.max(Math.abs(dx), Math.abs(dy)) / LARGEST_STEP));
    for (let step = 1; step <= steps; step++) {
      const part = (total: number) => Math.trunc(total * step / steps) - Math.trunc(total * (step - 1) / steps);
      this.#context.machine.mouse.move(part(dx), part(dy));
      await this.#drained(options);
    }
  }

  /** Turns the wheel by `steps`: positive is towards the user, down a page. */
  async wheel(steps: number, options: WaitOptions = {}): Promise<void> {
    checkOptions(options, WAIT_OPTIONS, "wheel");
    if (!Number.isInteger(steps)) throw new OptionError(`a wheel turns by whole steps, not ${steps}`);
    for (let left = steps; left !== 0;) {
      const step = Math.max(-LARGEST_WHEEL_STEP, Math.min(LARGEST_WHEEL_STEP, left));
      this.#context.machine.mouse.move(0, 0, step);
      await this.#drained(options);
      left -= step;
    }
  }

  /** Presses a button and holds it. */
  async down(button: MouseButton = "left", options: WaitOptions = {}): Promise<void> {
    checkOptions(options, WAIT_OPTIONS, "down");
    this.#context.machine.mouse.button(this.#number(button), true);
    await this.#drained(options);
  }

  /** Releases a button. */
  async up(button: MouseButton = "left", options: WaitOptions = {}): Promise<void> {
    checkOptions(options, WAIT_OPTIONS, "up");
    this.#context.machine.mouse.button(this.#number(button), false);
    await this.#drained(options);
  }

  /** Presses and releases a button. */
  async click(button: MouseButton = "left", options: WaitOptions = {}): Promise<void> {
    await this.down(button, options);
    await this.up(button, options);
  }

  #number(button: MouseButton): number {
    if (!Object.hasOwn(BUTTONS, button)) {
      throw new OptionError(`there is no mouse button "${button}"${suggestion(button, Object.keys(BUTTONS))}`);
    }
    return BUTTONS[button];
  }

  async #drained(options: WaitOptions): Promise<void> {
    const { mouse } = this.#context.machine;
    await this.#context.driver.wait<true>({
      what: "the guest to read its mouse",
      check: () => mouse.unread === 0 ? true : undefined,
      step: READ_STEP,
      ...limits(this.#context, options),
    });
  }
}
