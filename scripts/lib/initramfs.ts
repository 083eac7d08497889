/**
 * The initial RAM file systems of the Linux test guests around static busybox: one with a login prompt on each console,
 * root without password, and one that runs the benchmarks.
 */
import { cpioArchive, type CpioEntry } from "./cpio.ts";

/** How first programs begin. */
const MOUNTS = `#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
`;

/**
 * First program: mounts the kernel's file systems, writes an inittab with a login prompt for each `console=` of the
 * kernel's command line (tty1 if there is none), and hands over to busybox's init, so that `poweroff` and `reboot` work.
 */
const INIT = `${MOUNTS}mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
hostname bootwright
ttys=
for word in $(cat /proc/cmdline); do
  case $word in
    console=*)
      tty=\${word#console=}
      tty=\${tty%%,*}
      [ $tty = tty0 ] && tty=tty1
      ttys="$ttys $tty"
      ;;
  esac
done
{
  for tty in \${ttys:-tty1}; do
    case $tty in
      ttyS*) echo "$tty::respawn:/sbin/getty -L $tty 115200 vt100" ;;
      *) echo "$tty::respawn:/sbin/getty 38400 $tty linux" ;;
    esac
  done
  echo "::ctrlaltdel:/sbin/reboot"
} > /etc/inittab
exec /sbin/init
`;

/**
 * First program of the benchmark guest: runs the benchmarks that `bench=NAME,NAME…` on the kernel's command line names
 * (all of them if there is no such word) with `benchscale=PERCENT` of their work, says so, and turns the machine off.
 */
function benchmarkInit(names: readonly string[]): string {
  return `${MOUNTS}names=${names.join(",")}
scale=100
for word in $(cat /proc/cmdline); do
  case $word in
    bench=*) names=\${word#bench=} ;;
    benchscale=*) scale=\${word#benchscale=} ;;
  esac
done
echo "BENCH READY"
for name in $(echo $names | tr , ' '); do
  /bench/$name $scale
done
echo "BENCH DONE"
poweroff -f
`;
}

const DIRECTORIES = [
  "bin",
  "dev",
  "etc",
  "proc",
  "root",
  "run",
  "sbin",
  "sys",
  "tmp",
  "usr",
  "usr/bin",
  "usr/sbin",
  "var",
];

const FILES: Record<string, string> = {
  "etc/passwd": "root::0:0:root:/root:/bin/sh\n",
  "etc/group": "root:x:0:\ntty:x:5:\n",
  "etc/issue": "Bootwright test guest, \\s \\r on \\m\n",
  "etc/profile": "export PS1='bootwright:\\w# '\n",
  "etc/securetty": "console\ntty1\ntty2\nttyS0\nttyS1\n",
  "etc/hosts": "127.0.0.1 localhost bootwright\n",
};

/** The archive's entries around a busybox binary and a first program. */
function entries(busybox: Uint8Array, init: string): CpioEntry[] {
  return [
    ...DIRECTORIES.map((path): CpioEntry => ({
      path,
      kind: "directory",
      permissions: path === "tmp" ? 0o1777 : 0o755,
    })),
    // The kernel opens it for the first program, before devtmpfs is mounted.
    { path: "dev/console", kind: "character device", permissions: 0o600, device: [5, 1] },
    { path: "dev/null", kind: "character device", permissions: 0o666, device: [1, 3] },
    { path: "bin/busybox", kind: "file", permissions: 0o755, data: busybox },
    ...Object.entries(FILES).map(([path, data]): CpioEntry => ({ path, kind: "file", permissions: 0o644, data })),
    { path: "init", kind: "file", permissions: 0o755, data: init },
  ];
}

/** The entries of the archive of a guest with a login prompt, around a busybox binary, and with more programs in `/bin`. */
export function initramfsEntries(
  busybox: Uint8Array,
  programs: ReadonlyMap<string, Uint8Array> = new Map(),
): CpioEntry[] {
  return [...entries(busybox, INIT), ...executables("bin", programs)];
}

function executables(folder: string, programs: ReadonlyMap<string, Uint8Array>): CpioEntry[] {
  return [...programs].map(([name, data]) => ({ path: `${folder}/${name}`, kind: "file", permissions: 0o755, data }));
}

/** The entries of the archive of the benchmark guest, around a busybox binary and the benchmarks by name. */
export function benchmarkEntries(busybox: Uint8Array, benchmarks: ReadonlyMap<string, Uint8Array>): CpioEntry[] {
  return [
    ...entries(busybox, benchmarkInit([...benchmarks.keys()])),
    { path: "bench", kind: "directory", permissions: 0o755 },
    ...executables("bench", benchmarks),
  ];
}

/** The gzipped archive. */
export async function initramfs(entries: readonly CpioEntry[]): Promise<Uint8Array> {
  const archive = new Blob([cpioArchive(entries)]);
  const stream = archive.stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
