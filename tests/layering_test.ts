/** Keeps the promise of the core: it is synchronous and deterministic, and its imports point one way. */
import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
/** Folders of the deterministic core. */
const CORE = ["lib/wasm", "lib/cpu", "lib/machine", "lib/devices", "lib/firmware", "lib/disk", "lib/snapshot"];
/** Folders that the core must not import. */
const HOST = ["guest", "host", "testing", "cli"];

/** What the core must not use, and why. */
const FORBIDDEN: [RegExp, string][] = [
  [/\bDeno\b/, "a Deno API"],
  [/\bDate\b/, "the host's clock"],
  [/\bperformance\b/, "the host's clock"],
  [/\bMath\.random\b/, "the host's random numbers"],
  [/\bcrypto\.getRandomValues\b|\bcrypto\.randomUUID\b/, "the host's random numbers"],
  [/\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\brequestAnimationFrame\b/, "a timer"],
  [/\bPromise\b|\basync\b|\bawait\b/, "a promise"],
  [/\bfetch\s*\(/, "the host's network"],
  [/\bimport\.meta\b/, "the host's files"],
  [/["']node:(?!zlib)/, "a Node API"],
  [/\bWeakRef\b|\bFinalizationRegistry\b/, "the garbage collector's timing"],
  [/\bconsole\./, "the console"],
];

/** The source files below a folder, as paths relative to the project, without tests. */
function* sources(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* sources(path);
    else if (path.endsWith(".ts") && !path.endsWith("_test.ts")) yield path;
  }
}

/** Blanks comments and the contents of plain string literals out, keeping the lines; import paths survive. */
function code(text: string): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g;
  return text.replace(token, (match) => {
    if (match[0] !== "/") return /^["'](node:|npm:|jsr:|\.{1,2}\/|@)/.test(match) ? match : '""';
    return match.replace(/[^\n]/g, " ");
  });
}

function coreSources(): string[] {
  return CORE.flatMap((folder) => {
    try {
      return [...sources(folder)];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  });
}

Deno.test("the core uses nothing of the host that could differ between two runs", () => {
  const found: string[] = [];
  for (const path of coreSources()) {
    const lines = code(Deno.readTextFileSync(new URL(path, ROOT))).split("\n");
    lines.forEach((line, index) => {
      for (const [pattern, what] of FORBIDDEN) {
        if (pattern.test(line)) found.push(`${path}:${index + 1} uses ${what}: ${line.trim()}`);
      }
    });
  }
  assertEquals(found, []);
});

Deno.test("the core imports nothing from the layers above it", () => {
  const found: string[] = [];
  for (const path of coreSources()) {
    const text = code(Deno.readTextFileSync(new URL(path, ROOT)));
    for (const [, target] of text.matchAll(/\bfrom\s+["']([^"']+)["']/g)) {
      const folder = /^(?:\.\.\/)+([a-z]+)\//.exec(target)?.[1];
      if (folder !== undefined && HOST.includes(folder)) found.push(`${path} imports ${target}`);
    }
  }
  assertEquals(found, []);
});

Deno.test("code: comments and strings are blanked out, code is not", () => {
  assertEquals(code('a(); // Date\n/* Date\n */ b("Date \\" x", Date);'), 'a();        \n       \n    b("", Date);');
});
