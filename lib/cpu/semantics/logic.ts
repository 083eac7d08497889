/** AND, OR, XOR, NOT and TEST. Intel SDM vol. 2. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { define } from "./registry.ts";

function logic(combine: (a: Value, b: Value) => Value): (e: Emitter) => void {
  return (e) => {
    const source = e.read(1), place = e.open(0);
    const result = e.let(combine(place.value, source));
    place.set(result);
    e.flagsLogic(result);
  };
}

define("and", logic((a, b) => a.and(b)));
define("or", logic((a, b) => a.or(b)));
define("xor", logic((a, b) => a.xor(b)));

define("test", (e) => {
  const source = e.read(1), value = e.read(0);
  e.flagsLogic(e.let(value.and(source)));
});

define("not", (e) => {
  const place = e.open(0);
  place.set(place.value.not());
});
