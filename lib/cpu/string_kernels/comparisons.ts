/** SCAS and CMPS upwards. Elements in two pages end them: they are rare. */
import { Code, Op } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { branchIf, call, type Functions, i32, i64, room, SCRATCH, set, smaller } from "./writing.ts";

/** Type of an element by the logarithm of its bytes. */
export function typeOf(shift: number): "i32" | "i64" {
  return shift === 3 ? "i64" : "i32";
}

const LOAD = [Op.I32_LOAD8_U, Op.I32_LOAD16_U, Op.I32_LOAD, Op.I64_LOAD];

/** Reads an element at the address in a local, which moves behind it. */
function takeElement(code: Code, shift: number, element: number, place: number): void {
  code.get(place);
  code.memory(LOAD[shift], 0);
  code.set(element);
  set(code, place, i32(place).add(1 << shift));
}

/** Keeps an element for who called. */
function keepElement(code: Code, shift: number, element: number, at: number): void {
  code.i32(at);
  code.get(element);
  code.memory(shift === 3 ? Op.I64_STORE : Op.I32_STORE, 0);
}

/** Compares elements with a value. */
export function scanCode({ readPlace }: Functions, shift: number): Code {
  const code = new Code(4),
    type = typeOf(shift),
    at = i64(0),
    value = Value.local(type, 1),
    most = i32(2),
    until = i32(3);
  const left = code.local("i32"), run = code.local("i32"), place = code.local("i32"), element = code.local(type);
  set(code, left, most);
  code.block((done) =>
    code.loop((again) => {
      branchIf(code, done, i32(left).eqz());
      branchIf(code, done, room(at).ltU(1 << shift));
      set(code, place, call(readPlace, at));
      branchIf(code, done, i32(place).eqz());
      set(code, run, smaller(i32(left), room(at).shrU(shift)));
      set(code, left, i32(left).sub(i32(run)));
      set(code, 0, at.add(i32(run).extendU().shl(shift)));
      code.loop((next) => {
        takeElement(code, shift, element, place);
        set(code, run, i32(run).sub(1));
        branchIf(code, done, Value.local(type, element).eq(value).eq(until));
        branchIf(code, next, i32(run));
      });
      code.br(again);
    })
  );
  keepElement(code, shift, element, SCRATCH);
  most.sub(i32(left)).sub(i32(run)).emit(code);
  return code;
}

/** Compares elements of two places. */
export function compareCode({ readPlace }: Functions, shift: number): Code {
  const code = new Code(4), type = typeOf(shift), first = i64(0), second = i64(1), most = i32(2), until = i32(3);
  const left = code.local("i32"), run = code.local("i32");
  const firstPlace = code.local("i32"), secondPlace = code.local("i32");
  const firstElement = code.local(type), secondElement = code.local(type);
  set(code, left, most);
  code.block((done) =>
    code.loop((again) => {
      branchIf(code, done, i32(left).eqz());
      for (const [linear, place] of [[first, firstPlace], [second, secondPlace]] as const) {
        branchIf(code, done, room(linear).ltU(1 << shift));
        set(code, place, call(readPlace, linear));
        branchIf(code, done, i32(place).eqz());
      }
      set(code, run, smaller(i32(left), smaller(room(first), room(second)).shrU(shift)));
      set(code, left, i32(left).sub(i32(run)));
      for (const [local, linear] of [[0, first], [1, second]] as const) {
        set(code, local, linear.add(i32(run).extendU().shl(shift)));
      }
      code.loop((next) => {
        takeElement(code, shift, firstElement, firstPlace);
        takeElement(code, shift, secondElement, secondPlace);
        set(code, run, i32(run).sub(1));
        branchIf(code, done, Value.local(type, firstElement).eq(Value.local(type, secondElement)).eq(until));
        branchIf(code, next, i32(run));
      });
      code.br(again);
    })
  );
  keepElement(code, shift, firstElement, SCRATCH);
  keepElement(code, shift, secondElement, SCRATCH + 8);
  most.sub(i32(left)).sub(i32(run)).emit(code);
  return code;
}
