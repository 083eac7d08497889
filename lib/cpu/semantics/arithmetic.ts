/** Addition, subtraction and comparison. Intel SDM vol. 2, the instructions' own pages. */
import type { Emitter } from "../emit/emitter.ts";
import { toSize } from "./operands.ts";
import { define } from "./registry.ts";

define("add", (e) => {
  const source = e.read(1), place = e.open(0);
  const result = e.let(place.value.add(source));
  place.set(result);
  e.flagsAdd(place.value, source, result);
});

define("adc", (e) => {
  const source = e.read(1), place = e.open(0), carry = toSize(e.flag("CF"), e.size);
  const result = e.let(place.value.add(source).add(carry));
  place.set(result);
  e.flagsAdd(place.value, source, result);
});

define("sub", (e) => {
  const source = e.read(1), place = e.open(0);
  const result = e.let(place.value.sub(source));
  place.set(result);
  e.flagsSub(place.value, source, result);
});

define("sbb", (e) => {
  const source = e.read(1), place = e.open(0), borrow = toSize(e.flag("CF"), e.size);
  const result = e.let(place.value.sub(source).sub(borrow));
  place.set(result);
  e.flagsSub(place.value, source, result);
});

define("cmp", (e) => {
  const source = e.read(1), value = e.read(0);
  e.flagsSub(value, source, e.let(value.sub(source)));
});

define("inc", (e) => {
  const place = e.open(0);
  const result = e.let(place.value.add(1));
  place.set(result);
  e.flagsInc(place.value, result);
});

define("dec", (e) => {
  const place = e.open(0);
  const result = e.let(place.value.sub(1));
  place.set(result);
  e.flagsDec(place.value, result);
});

define("neg", (e) => {
  const place = e.open(0), zero = e.constant(0, e.size);
  const result = e.let(zero.sub(place.value));
  place.set(result);
  e.flagsSub(zero, place.value, result);
});

define("xadd", (e) => {
  const place = e.open(0), source = e.read(1);
  const result = e.let(place.value.add(source));
  e.write(1, place.value);
  place.set(result);
  e.flagsAdd(place.value, source, result);
});

/** Additions with a carry of their own, that touch no other flag (ADCX uses CF, ADOX uses OF). */
function addWithCarryIn(e: Emitter, name: "CF" | "OF"): void {
  const source = e.read(1), target = e.read(0);
  // Three addends of 64 bits can carry twice, but never in both steps.
  const partial = e.let(target.add(source)), carry = toSize(e.flag(name), e.size);
  const result = e.let(partial.add(carry));
  e.write(0, result);
  e.setFlags({ [name]: partial.ltU(source).or(result.ltU(partial)) });
}

define("adcx", (e) => addWithCarryIn(e, "CF"));
define("adox", (e) => addWithCarryIn(e, "OF"));
