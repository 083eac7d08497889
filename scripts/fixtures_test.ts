import { assertEquals } from "@std/assert";

Deno.test("fixtures/guest.img is a 1.44 MB boot disk with the kernel behind the boot sector", () => {
  const image = Deno.readFileSync(new URL("../fixtures/guest.img", import.meta.url));
  assertEquals(image.length, 1_474_560);
  assertEquals([image[510], image[511]], [0x55, 0xaa]);
  const text = new TextDecoder("latin1").decode(image.subarray(0, 0x4000));
  assertEquals(text.includes("Bootwright fixture guest"), true);
});
