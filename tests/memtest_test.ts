/** memtest86+, which writes and reads every bit of the memory in ten ways and is loaded as a kernel is. */
import { assertMatch } from "@std/assert";
import { Guest } from "../mod.ts";
import { cachedImage, testWith } from "./support.ts";

for (const width of ["ia32", "x64"]) {
  const image = cachedImage(`memtest86+${width}.bin`);
  testWith(`memtest86+ for ${width} finds no error in a full pass`, [image], async () => {
    await using guest = await Guest.boot({ memory: "16M", kernel: image.path, onTripleFault: "stop", watchdog: "20m" });
    // Half of the pass is a wait of several minutes, of the guest's time.
    await guest.screen.waitForText(/Pass: +[1-9]|Errors: +[1-9]/, { timeout: "10m" });
    assertMatch(guest.screen.text(), /Pass: +1 +Errors: +0/);
  });
}
