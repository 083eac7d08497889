/** The 64 Ki I/O ports and who answers at them. */
import type { AccessSize, PortClaim, PortHandler, PortSpace } from "./types.ts";

const PORTS = 0x10000;

interface Claim {
  readonly slot: number;
  readonly base: number;
  readonly count: number;
  readonly handler: PortHandler;
  readonly widest: AccessSize;
}

/** The I/O port space of one machine. */
export class IoPorts implements PortSpace {
  /** By port: where in {@link #slots} its claim is. */
  readonly #owners = new Uint16Array(PORTS);
  /** Claims by number; 0 is nobody's. */
  readonly #slots: (Claim | undefined)[] = [undefined];
  /** All claims in the order in which they were made, so that releasing one uncovers what it replaced. */
  readonly #claims: Claim[] = [];

  /**
   * Claims `count` ports from `base`.
   *
   * @throws RangeError if the range leaves the port space.
   */
  claim(base: number, count: number, handler: PortHandler, widest: AccessSize = 1): PortClaim {
    if (base < 0 || count < 1 || base + count > PORTS) throw new RangeError(`ports ${base}+${count} do not exist`);
    const free = this.#slots.indexOf(undefined, 1), slot = free < 0 ? this.#slots.length : free;
    const claim: Claim = { slot, base, count, handler, widest };
    this.#slots[slot] = claim;
    this.#claims.push(claim);
    this.#owners.fill(slot, base, base + count);
    return { release: () => this.#release(claim) };
  }

  /** Reads `size` bytes from `port`; ports that nobody claims read all ones. */
  read(port: number, size: AccessSize): number {
    const claim = this.#slots[this.#owners[port]];
    if (claim !== undefined && size <= claim.widest && port + size <= claim.base + claim.count) {
      const value = claim.handler.read(port, size);
      // A narrow access to a wide register sees its low bytes.
      return size === 1 ? value & 0xff : size === 2 ? value & 0xffff : value >>> 0;
    }
    if (size === 1) return 0xff;
    const half = size === 4 ? 2 : 1;
    const low = this.read(port, half);
    const high = this.read((port + half) & 0xffff, half);
    return (low | (high << (8 * half))) >>> 0;
  }

  /** Writes `size` bytes to `port`; writes to ports that nobody claims are lost. */
  write(port: number, value: number, size: AccessSize): void {
    const claim = this.#slots[this.#owners[port]];
    if (claim !== undefined && size <= claim.widest && port + size <= claim.base + claim.count) {
      claim.handler.write(port, value, size);
    } else if (size !== 1) {
      const half = size === 4 ? 2 : 1;
      const mask = half === 2 ? 0xffff : 0xff;
      this.write(port, value & mask, half);
      this.write((port + half) & 0xffff, (value >>> (8 * half)) & mask, half);
    }
  }

  #release(claim: Claim): void {
    const index = this.#claims.indexOf(claim);
    if (index < 0) return;
    this.#claims.splice(index, 1);
    this.#slots[claim.slot] = undefined;
    for (let port = claim.base; port < claim.base + claim.count; port++) {
      if (this.#owners[port] !== claim.slot) continue;
      const under = this.#claims.findLast((other) => port >= other.base && port < other.base + other.count);
      this.#owners[port] = under?.slot ?? 0;
    }
  }
}
