/** Debian's installer on the serial line: a large initial RAM disk, a dialogue that draws itself, and keys that move it. */
import { expect, Guest } from "../mod.ts";
import { cachedImage, testWith } from "./support.ts";

/** Memory with which the installer asks its questions in full. */
const MEMORY = { i386: "512M", amd64: "1G" } as const;

for (const architecture of ["i386", "amd64"] as const) {
  const kernel = cachedImage(`installer-${architecture}-vmlinuz`);
  const initrd = cachedImage(`installer-${architecture}-initrd.gz`);
  testWith(
    `Debian's installer for ${architecture} asks on the serial line and takes answers`,
    [kernel, initrd],
    async () => {
      await using guest = await Guest.boot({
        memory: MEMORY[architecture],
        kernel: kernel.path,
        initrd: initrd.path,
        // The cryptographic self-tests, which the tests of the kernels run, take a third of the time.
        append: "console=ttyS0 cryptomgr.notests",
        onTripleFault: "stop",
        watchdog: "20m",
      });
      guest.failOn(/Kernel panic|Oops:|BUG: /);
      const { terminal } = guest.serial;
      await guest.serial.waitFor("Select a language", { timeout: "60s" });
      await expect(terminal).toContainText(/^ *│ +English +│$/m);
      // Down to English, and on.
      await guest.serial.write("\x1b[B\r");
      await guest.serial.waitFor("Select your location", { timeout: "60s" });
      await expect(terminal).toContainText(/^ *│ +United Kingdom +/m);
    },
  );
}
