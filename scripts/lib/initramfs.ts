/** The initial RAM file system of the Linux test guests: static busybox, a login prompt on each console, root without password. */
import { cpioArchive, type CpioEntry } from "./cpio.ts";

/**
 * First program: mounts the kernel's file systems, writes an inittab with a login prompt for each `console=` of the
 * kernel's command line (tty1 if there is none), and hands over to busybox's init, so that `poweroff` and `reboot` work.
 */
const INIT = `#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts
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

/** The archive's entries around a busybox binary. */
export function initramfsEntries(busybox: Uint8Array): CpioEntry[] {
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
    { path: "init", kind: "file", permissions: 0o755, data: INIT },
  ];
}

/** The gzipped archive. */
export async function initramfs(busybox: Uint8Array): Promise<Uint8Array> {
  const archive = new Blob([cpioArchive(initramfsEntries(busybox))]);
  const stream = archive.stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
