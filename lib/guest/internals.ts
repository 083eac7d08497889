/** Lets `expect` reach the parts of a guest behind the objects that scripts hold, without making them public. */
import type { GuestContext } from "./context.ts";

const contexts = new WeakMap<object, GuestContext>();

/** Notes that `object` belongs to the guest of `context`. */
export function belongsTo(object: object, context: GuestContext): void {
  contexts.set(object, context);
}

/** The guest that `object` belongs to; undefined for objects that are not part of one. */
export function contextOf(object: object): GuestContext | undefined {
  return contexts.get(object);
}
