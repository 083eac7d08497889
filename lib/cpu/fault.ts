/** In place of a vector: no exception, the instruction waits for an interrupt. */
export const FROZEN = 256;

/** An x86 exception on its way from TypeScript to the run loop. One object is reused: it never leaves the processor. */
export class CpuFault {
  vector = 0;
  /** Error code, or -1 if the vector has none. */
  code = -1;
  /** For #PF: the linear address for CR2. */
  address = 0;
  /** It is due to a non-canonical address. */
  notCanonical = false;
}
