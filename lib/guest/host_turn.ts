/** Turns of the host's event loop. */

/** Turns that come with messages: a guest's first wait has two. */
const FIRST_TURNS = 8;

let turns = 0;

/**
 * Lets promises, timers and I/O of the host proceed. The first turns come with messages, because Deno takes several
 * milliseconds to load its timers, for which a guest's start need not wait; immediates cost a tenth of a message then.
 */
export function hostTurn(): Promise<void> {
  if (turns === FIRST_TURNS) return new Promise((resolve) => setImmediate(resolve));
  turns++;
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port2.onmessage = () => {
      port1.close();
      port2.close();
      resolve();
    };
    port1.postMessage(null);
  });
}
