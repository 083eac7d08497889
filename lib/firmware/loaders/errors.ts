/** What can be wrong with a kernel that is to be loaded directly. */

/** A kernel cannot be loaded. The subclasses tell why. */
export class KernelError extends Error {
  override readonly name: string = "KernelError";
}

/** The file is no kernel of a known kind, or it is damaged or cut short. */
export class KernelFormatError extends KernelError {
  override readonly name = "KernelFormatError";
}

/** The kernel asks for something that this loader does not do. */
export class KernelProtocolError extends KernelError {
  override readonly name = "KernelProtocolError";
}

/** The guest has too little memory for the kernel, its modules or its command line. */
export class KernelMemoryError extends KernelError {
  override readonly name = "KernelMemoryError";
}

/** `0x` and hexadecimal digits, for messages. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
