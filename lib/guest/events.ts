/** What observers of a guest are told. */
import { OptionError } from "./errors.ts";
import type { GuestExit } from "./context.ts";
import { suggestion } from "./nearest.ts";

/** Events of a guest and what their handlers are called with. */
export interface GuestEvents {
  /** Bytes that the guest sent on a serial line, in the order in which they came. */
  serial: { readonly line: number; readonly bytes: Uint8Array };
  /** Bytes that the guest wrote to the debug port E9h. */
  debug: { readonly bytes: Uint8Array };
  /** The guest has run a little: guest time in ns, and instructions retired. */
  progress: { readonly time: number; readonly instructions: number };
  /** The guest has ended. */
  exit: GuestExit;
}

const NAMES: readonly (keyof GuestEvents)[] = ["serial", "debug", "progress", "exit"];

type Handlers = { [Name in keyof GuestEvents]: Set<(event: GuestEvents[Name]) => void> };

/** Hands events on to handlers. Handlers watch: what they do has no influence on the guest. */
export class EventHub {
  readonly #handlers: Handlers = { serial: new Set(), debug: new Set(), progress: new Set(), exit: new Set() };

  /** Calls `handler` for every event of that name, until the function that is returned is called. */
  on<Name extends keyof GuestEvents>(name: Name, handler: (event: GuestEvents[Name]) => void): () => void {
    if (!NAMES.includes(name)) throw new OptionError(`a guest has no event "${name}"${suggestion(name, NAMES)}`);
    const handlers: Set<(event: GuestEvents[Name]) => void> = this.#handlers[name];
    handlers.add(handler);
    return () => handlers.delete(handler);
  }

  /** True if anybody wants to know. */
  has(name: keyof GuestEvents): boolean {
    return this.#handlers[name].size > 0;
  }

  emit<Name extends keyof GuestEvents>(name: Name, event: GuestEvents[Name]): void {
    const handlers: Set<(event: GuestEvents[Name]) => void> = this.#handlers[name];
    for (const handler of [...handlers]) handler(event);
  }
}
