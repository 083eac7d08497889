/** Checks that a value that came from a file is what a snapshot holds, before anything is done with it. */
import type { StateValue } from "../machine/types.ts";
import { SnapshotError } from "./errors.ts";
import { DRIVES } from "./settings.ts";
import type { SnapshotContents } from "./snapshot.ts";

/** Checks `value`; throws {@link SnapshotError} naming `path` if it is not what it should be. */
type Check = (value: StateValue | undefined, path: string) => void;
type Fields = { readonly [name: string]: Check };

function expectation(what: string, holds: (value: StateValue) => boolean): Check {
  return (value, path) => {
    if (value === undefined || !holds(value)) throw new SnapshotError(`the snapshot's ${path} is not ${what}`);
  };
}

const number = expectation("a number", (value) => typeof value === "number" && Number.isFinite(value));
const text = expectation("a text", (value) => typeof value === "string");
const bytes = expectation("bytes", (value) => value instanceof Uint8Array);
const numbers = expectation("a list of numbers", (value) => value instanceof Uint32Array);
const anyRecord = expectation("a record", isRecord);

function isRecord(value: StateValue): value is { [name: string]: StateValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function oneOf(...words: string[]): Check {
  return expectation(words.join(" or "), (value) => typeof value === "string" && words.includes(value));
}

function either(what: string, ...checks: Check[]): Check {
  return expectation(what, (value) => checks.some((check) => passes(check, value)));
}

function passes(check: Check, value: StateValue): boolean {
  try {
    check(value, "");
    return true;
  } catch (error) {
    if (error instanceof SnapshotError) return false;
    throw error;
  }
}

function optional(check: Check): Check {
  return (value, path) => {
    if (value !== undefined) check(value, path);
  };
}

/** A record with these fields, and no others. */
function record(fields: Fields): Check {
  return (value, path) => {
    anyRecord(value, path);
    const found = value as { [name: string]: StateValue };
    for (const [name, check] of Object.entries(fields)) {
      check(Object.hasOwn(found, name) ? found[name] : undefined, `${path}.${name}`);
    }
    for (const name of Object.keys(found)) {
      if (!Object.hasOwn(fields, name)) throw new SnapshotError(`the snapshot's ${path}.${name} is unknown`);
    }
  };
}

/** A record of any names, whose fields are all alike. */
function recordOf(check: Check): Check {
  return (value, path) => {
    anyRecord(value, path);
    for (const [name, field] of Object.entries(value as { [name: string]: StateValue })) {
      check(field, `${path}.${name}`);
    }
  };
}

function list(check: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) throw new SnapshotError(`the snapshot's ${path} is not a list`);
    value.forEach((item, index) => check(item, `${path}[${index}]`));
  };
}

function perDrive(check: Check): Check {
  return record(Object.fromEntries(DRIVES.map((drive) => [drive, optional(check)])));
}

const transcript = record({ bytes, cursor: number });

const contents = record({
  settings: record({
    memory: number,
    cpu: record({ model: text, features: list(text) }),
    boot: optional(list(oneOf("floppy", "disk", "cdrom"))),
    kernel: optional(record({ image: bytes, initrd: optional(bytes), append: optional(text) })),
    firmware: optional(record({ bios: bytes, vgaBios: optional(bytes) })),
    seed: number,
    startTime: optional(number),
    onTripleFault: oneOf("reset", "stop"),
    onReset: oneOf("reset", "stop"),
  }),
  images: perDrive(record({
    source: either("a path or an image", text, bytes),
    write: oneOf("overlay", "through"),
    readOnly: expectation("true or false", (value) => typeof value === "boolean"),
  })),
  fingerprints: perDrive(text),
  machine: record({
    version: number,
    config: anyRecord,
    devices: recordOf(record({ version: number, state: anyRecord })),
    cpu: anyRecord,
    clock: anyRecord,
    machine: anyRecord,
    memory: record({ pages: numbers, data: bytes }),
  }),
  disks: perDrive(record({ size: number, numbers: list(number), pages: list(bytes) })),
  serials: list(transcript),
  debug: transcript,
});

/** `value` as the contents of a snapshot. Throws {@link SnapshotError} naming the first field that is wrong. */
export function contentsOf(value: StateValue): SnapshotContents {
  contents(value, "contents");
  return value as unknown as SnapshotContents;
}
