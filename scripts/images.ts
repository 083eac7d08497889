/**
 * Obtains the Linux test guests with Debian's own tools: `deno task images [--mirror URL] [--suite NAME] [--refresh]`.
 *
 * Into `.cache/images/` go a stock kernel for each of 686, 686-pae and amd64 (`vmlinuz-686` …), static busybox and an initial RAM
 * file system around it for i386 and amd64 (`busybox-i386`, `initramfs-i386.cpio.gz` …), both programs of memtest86+, kernel
 * and initial RAM disk of Debian's installer for both (`installer-i386-vmlinuz`, `installer-i386-initrd.gz` …), the packages
 * that they came from (`packages.txt`) and their checksums (`SHA256SUMS`). What is there already with the right checksum is
 * not downloaded again without `--refresh`. Where gcc is there, the benchmarks of `fixtures/bench` are compiled for both (into
 * `bench-i386/` …) and put into an initial RAM file system that runs them (`bench-i386.cpio.gz` …), and `fixtures/fpu/digest.c`
 * is compiled (`fpu-digest-i386` …) and put into the others. apt works in a folder of its own there: the host's package lists
 * and its installed packages are neither used nor changed. Exit code 1 if something could not be obtained, with the reason.
 */
import { fileURLToPath } from "node:url";
import { buildBenchmarks, buildDigest, CompileError, compiler } from "./lib/bench_build.ts";
import type { Architecture } from "./lib/bench_programs.ts";
import { parseCommandLine, runScript } from "./lib/command_line.ts";
import { benchmarkEntries, initramfs, initramfsEntries } from "./lib/initramfs.ts";

const IMAGES = fileURLToPath(new URL("../.cache/images/", import.meta.url));
const BENCHMARKS = fileURLToPath(new URL("../fixtures/bench", import.meta.url));
const FPU_DIGEST = fileURLToPath(new URL("../fixtures/fpu/digest.c", import.meta.url));
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const DEFAULT_MIRROR = "http://deb.debian.org/debian";
const DEFAULT_SUITE = "bookworm";
const USAGE = "usage: deno task images [--mirror URL] [--suite NAME] [--refresh]";

/** Flavours of the kernel: their meta-packages are called `linux-image-FLAVOUR`. */
const KERNELS: readonly { flavour: string; architecture: Architecture }[] = [
  { flavour: "686", architecture: "i386" },
  { flavour: "686-pae", architecture: "i386" },
  { flavour: "amd64", architecture: "amd64" },
];
const ARCHITECTURES: readonly Architecture[] = ["i386", "amd64"];

/** Packages whose files are taken as they are: by image the path in the package, as a pattern of tar. */
const PACKAGES: readonly { name: string; architecture: Architecture; files: Readonly<Record<string, string>> }[] = [
  {
    name: "memtest86+",
    architecture: "amd64",
    files: {
      "memtest86+ia32.bin": "./boot/memtest86+ia32.bin",
      "memtest86+x64.bin": "./boot/memtest86+x64.bin",
    },
  },
  ...ARCHITECTURES.map((architecture) => ({
    name: `debian-installer-12-netboot-${architecture}`,
    architecture,
    files: {
      [`installer-${architecture}-vmlinuz`]: `*/text/debian-installer/${architecture}/linux`,
      [`installer-${architecture}-initrd.gz`]: `*/text/debian-installer/${architecture}/initrd.gz`,
    },
  })),
];

/** An image cannot be obtained; the message is one line that says why. */
class ImageError extends Error {
  override name = "ImageError";
}

/** The line of a tool's messages that says what went wrong. */
function reason(messages: string): string {
  const lines = messages.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return lines.find((line) => line.startsWith("E:")) ?? lines.at(-1) ?? "no message";
}

/** Runs a command and returns what it printed. */
async function run(
  name: string,
  args: string[],
  options: { cwd?: string; input?: Uint8Array } = {},
): Promise<Uint8Array> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(name, {
      args,
      cwd: options.cwd,
      stdin: options.input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      env: { LC_ALL: "C" },
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new ImageError(`${name} is not installed: the images are made with Debian's tools (apt, dpkg and tar)`);
  }
  const output = child.output();
  if (options.input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(options.input);
    await writer.close();
  }
  const { success, stdout, stderr } = await output;
  if (!success) throw new ImageError(`${name} ${args.at(-1)}: ${reason(new TextDecoder().decode(stderr))}`);
  return stdout;
}

/** apt for one architecture, with its state in a folder of its own. */
class Apt {
  readonly #folder: string;
  readonly #options: string[];

  constructor(private readonly architecture: Architecture) {
    this.#folder = `${IMAGES}apt/${architecture}/`;
    const settings: Record<string, string> = {
      "Dir::State": `${this.#folder}state`,
      "Dir::State::status": `${this.#folder}status`,
      "Dir::Cache": `${this.#folder}cache`,
      "Dir::Etc::sourcelist": `${this.#folder}sources.list`,
      "Dir::Etc::sourceparts": "-",
      "APT::Architecture": architecture,
      "APT::Architectures": architecture,
      "APT::Sandbox::User": "root",
      "Acquire::Languages": "none",
    };
    this.#options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  }

  /** Fetches the package lists. */
  async update(mirror: string, suite: string): Promise<void> {
    try {
      await Deno.stat(KEYRING);
    } catch {
      throw new ImageError(`${KEYRING} is missing (package debian-archive-keyring): packages could not be verified`);
    }
    await Deno.mkdir(`${this.#folder}state/lists/partial`, { recursive: true });
    await Deno.mkdir(`${this.#folder}cache/archives/partial`, { recursive: true });
    await Deno.writeTextFile(`${this.#folder}status`, "");
    const source = `deb [arch=${this.architecture} signed-by=${KEYRING}] ${mirror} ${suite} main\n`;
    await Deno.writeTextFile(`${this.#folder}sources.list`, source);
    // Without Error-Mode a mirror that cannot be reached would be no more than a warning.
    await run("apt-get", [...this.#options, "-o", "APT::Update::Error-Mode=any", "update"]);
  }

  /** The package that a meta-package stands for: the first that it depends on. */
  async resolve(metaPackage: string): Promise<string> {
    const text = new TextDecoder().decode(await run("apt-cache", [...this.#options, "depends", metaPackage]));
    const name = /^ +Depends: (linux-image-\S+)$/m.exec(text)?.[1];
    if (name === undefined) throw new ImageError(`${metaPackage} depends on no kernel in this suite`);
    return name;
  }

  /** Downloads a package into a folder and returns its path there. */
  async download(name: string, folder: string): Promise<string> {
    await run("apt-get", [...this.#options, "download", name], { cwd: folder });
    for await (const entry of Deno.readDir(folder)) {
      if (entry.name.startsWith(`${name}_`) && entry.name.endsWith(".deb")) return `${folder}/${entry.name}`;
    }
    throw new ImageError(`apt-get download ${name} left no package`);
  }
}

/** The contents of the one file of a package whose path matches a pattern of tar. */
async function fileOf(deb: string, pattern: string): Promise<Uint8Array> {
  const tar = await run("dpkg-deb", ["--fsys-tarfile", deb]);
  const list = new TextDecoder().decode(await run("tar", ["-t", "--wildcards", pattern], { input: tar }));
  const [path] = list.split("\n");
  return await run("tar", ["-x", "-O", path], { input: tar });
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes))).toHex();
}

/** What is in the folder, with the texts of `packages.txt` and `SHA256SUMS`. */
class Collection {
  readonly #sums = new Map<string, string>();
  readonly #packages = new Map<string, string>();

  /** Takes over what an earlier run left, as far as it is undamaged. */
  async restore(): Promise<void> {
    for (const [name, sum] of await pairs("SHA256SUMS")) {
      const bytes = await Deno.readFile(`${IMAGES}${name}`).catch(() => null);
      if (bytes !== null && await sha256(bytes) === sum) this.#sums.set(name, sum);
    }
    for (const [name, deb] of await pairs("packages.txt")) {
      if (this.#sums.has(name)) this.#packages.set(name, deb);
    }
  }

  has(name: string): boolean {
    return this.#packages.has(name);
  }

  /** Adds an image that comes from package file `deb`. */
  async add(name: string, bytes: Uint8Array, deb: string): Promise<void> {
    // Written beside and renamed, so that an interrupted run leaves no half image.
    await Deno.writeFile(`${IMAGES}${name}.new`, bytes);
    await Deno.rename(`${IMAGES}${name}.new`, `${IMAGES}${name}`);
    this.#sums.set(name, await sha256(bytes));
    this.#packages.set(name, deb);
    await this.#write();
    console.log(`${IMAGES}${name}: ${bytes.length} bytes`);
  }

  /** The package file that an image came from. */
  origin(name: string): string {
    return this.#packages.get(name) ?? "unknown";
  }

  async #write(): Promise<void> {
    const lines = (map: Map<string, string>, line: (name: string, value: string) => string) =>
      [...map].sort().map(([name, value]) => line(name, value)).join("");
    await Deno.writeTextFile(`${IMAGES}SHA256SUMS`, lines(this.#sums, (name, sum) => `${sum}  ${name}\n`));
    await Deno.writeTextFile(`${IMAGES}packages.txt`, lines(this.#packages, (name, deb) => `${deb}  ${name}\n`));
  }
}

/** The lines `value  name` of a file in the folder, as pairs of name and value; none if there is no such file. */
async function pairs(file: string): Promise<[string, string][]> {
  const text = await Deno.readTextFile(`${IMAGES}${file}`).catch(() => "");
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const [value, name] = line.split("  ");
    return [name, value];
  });
}

/** Name of a package file, without the escapes that apt puts into it. */
function packageFile(path: string): string {
  return decodeURIComponent(path.split("/").pop() ?? path);
}

/** Downloads what is missing for one architecture, and makes its initial RAM file system. */
async function obtain(
  collection: Collection,
  architecture: Architecture,
  folder: string,
  source: { mirror: string; suite: string },
): Promise<void> {
  const busybox = `busybox-${architecture}`;
  const kernels = KERNELS.filter((kernel) => kernel.architecture === architecture)
    .map(({ flavour }) => ({ meta: `linux-image-${flavour}`, image: `vmlinuz-${flavour}` }))
    .filter(({ image }) => !collection.has(image));
  const packages = PACKAGES.filter((entry) =>
    entry.architecture === architecture && Object.keys(entry.files).some((image) => !collection.has(image))
  );
  if (kernels.length > 0 || packages.length > 0 || !collection.has(busybox)) {
    const apt = new Apt(architecture);
    console.log(`fetching package lists for ${architecture}`);
    await apt.update(source.mirror, source.suite);
    if (!collection.has(busybox)) {
      const deb = await apt.download("busybox-static", folder);
      await collection.add(busybox, await fileOf(deb, "*bin/busybox"), packageFile(deb));
    }
    for (const { meta, image } of kernels) {
      const name = await apt.resolve(meta);
      console.log(`downloading ${name}`);
      const deb = await apt.download(name, folder);
      await collection.add(image, await fileOf(deb, "./boot/vmlinuz-*"), packageFile(deb));
      await Deno.remove(deb);
    }
    for (const { name, files } of packages) {
      console.log(`downloading ${name}`);
      const deb = await apt.download(name, folder);
      for (const [image, path] of Object.entries(files)) {
        await collection.add(image, await fileOf(deb, path), packageFile(deb));
      }
      await Deno.remove(deb);
    }
  }
  const programs = await digestProgram(architecture);
  const archive = await initramfs(initramfsEntries(await Deno.readFile(`${IMAGES}${busybox}`), programs));
  await collection.add(`initramfs-${architecture}.cpio.gz`, archive, collection.origin(busybox));
}

/** Compiles the digest of floating-point results as `fpu-digest-i386` …; none without a compiler. */
async function digestProgram(architecture: Architecture): Promise<Map<string, Uint8Array>> {
  const output = `${IMAGES}fpu-digest-${architecture}`;
  try {
    await compiler();
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    await Deno.remove(output).catch(() => {});
    return new Map();
  }
  await buildDigest(architecture, FPU_DIGEST, output);
  return new Map([["fpu-digest", await Deno.readFile(output)]]);
}

/** Compiles the benchmarks and makes their guests, or says why not: without a compiler everything else is of use, too. */
async function makeBenchmarks(collection: Collection): Promise<void> {
  try {
    await compiler();
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    console.log(`not made: the benchmark guests, because ${error.message}`);
    return;
  }
  for (const architecture of ARCHITECTURES) {
    const programs = await buildBenchmarks(architecture, BENCHMARKS, `${IMAGES}bench-${architecture}`);
    const busybox = `busybox-${architecture}`;
    const archive = await initramfs(benchmarkEntries(await Deno.readFile(`${IMAGES}${busybox}`), programs));
    await collection.add(`bench-${architecture}.cpio.gz`, archive, collection.origin(busybox));
  }
}

async function obtainAll(source: { mirror: string; suite: string }, refresh: boolean): Promise<void> {
  await Deno.mkdir(IMAGES, { recursive: true });
  const temporary = await Deno.makeTempDir({ dir: IMAGES, prefix: "download-" });
  try {
    const collection = new Collection();
    if (!refresh) await collection.restore();
    for (const architecture of ARCHITECTURES) {
      const folder = `${temporary}/${architecture}`;
      await Deno.mkdir(folder);
      await obtain(collection, architecture, folder, source);
    }
    await makeBenchmarks(collection);
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

async function main(): Promise<number> {
  const args = parseCommandLine(Deno.args, {
    usage: USAGE,
    string: ["mirror", "suite"],
    boolean: ["refresh"],
    default: { mirror: DEFAULT_MIRROR, suite: DEFAULT_SUITE },
  });
  try {
    await obtainAll({ mirror: String(args.mirror), suite: String(args.suite) }, args.refresh === true);
    return 0;
  } catch (error) {
    if (!(error instanceof ImageError || error instanceof CompileError)) throw error;
    console.error(`images: ${error.message}`);
    return 1;
  }
}

if (import.meta.main) await runScript(main);
