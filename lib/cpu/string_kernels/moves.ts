/** STOS and MOVS upwards: as memory.fill and memory.copy. */
import { Code, Op, type Signature } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { branchIf, call, copy, fill, type Functions, i32, i64, room, SCRATCH, set, smaller } from "./writing.ts";

/** Type of {@link spreadCode}'s function. */
export const SPREAD: Signature = { parameters: ["i32", "i32", "i32"], results: [] };

/** Copies bytes upwards: what has been written of an overlapping source is copied on, in ever longer pieces. */
export function spreadCode(): Code {
  const code = new Code(3), [to, from, left] = [0, 1, 2], piece = code.local("i32");
  code.block((done) =>
    code.loop((again) => {
      branchIf(code, done, i32(left).eqz());
      // The distance, if it is less than what is left, and not 0.
      set(code, piece, smaller(i32(to).sub(i32(from)).sub(1), i32(left).sub(1)).add(1));
      copy(code, i32(to), i32(from), i32(piece));
      set(code, to, i32(to).add(i32(piece)));
      set(code, left, i32(left).sub(i32(piece)));
      code.br(again);
    })
  );
  return code;
}

/** Stores elements upwards. */
export function storeCode({ writePlace, spread, storeElement }: Functions): Code {
  const code = new Code(4), to = i64(0), pattern = i64(1), count = i32(2), shift = i32(3);
  const left = code.local("i32"), place = code.local("i32"), length = code.local("i32"), bytes = code.local("i32");
  set(code, bytes, Value.i32(1).shl(shift));
  set(code, left, count);
  code.i32(SCRATCH);
  pattern.emit(code);
  code.memory(Op.I64_STORE, 0);
  code.block((done) =>
    code.loop((again) => {
      branchIf(code, done, i32(left).eqz());
      set(code, place, call(writePlace, to));
      branchIf(code, done, i32(place).eqz());
      set(code, length, smaller(i32(left), room(to).shrU(shift)).shl(shift));
      i32(length).emit(code);
      code.if(() => {
        pattern.rotl(8).eq(pattern).emit(code);
        code.if(() => fill(code, i32(place), pattern.wrap(), i32(length)), () => {
          copy(code, i32(place), Value.i32(SCRATCH), i32(bytes));
          for (const value of [i32(place).add(i32(bytes)), i32(place), i32(length).sub(i32(bytes))]) value.emit(code);
          code.call(spread);
        });
      }, () => {
        set(code, length, i32(bytes));
        branchIf(code, done, call(storeElement, to, i32(bytes)).eqz());
      });
      set(code, 0, to.add(i32(length).extendU()));
      set(code, left, i32(left).sub(i32(length).shrU(shift)));
      code.br(again);
    })
  );
  count.sub(i32(left)).emit(code);
  return code;
}

/** Moves elements upwards. */
export function moveCode({ readPlace, writePlace, spread, loadElement, storeElement }: Functions): Code {
  const code = new Code(4), from = i64(0), to = i64(1), count = i32(2), shift = i32(3);
  const left = code.local("i32"), length = code.local("i32"), bytes = code.local("i32");
  const source = code.local("i32"), target = code.local("i32");
  set(code, bytes, Value.i32(1).shl(shift));
  set(code, left, count);
  code.block((done) =>
    code.loop((again) => {
      branchIf(code, done, i32(left).eqz());
      set(code, source, call(readPlace, from));
      branchIf(code, done, i32(source).eqz());
      set(code, length, smaller(i32(left), room(from).shrU(shift)).shl(shift));
      code.block((next) => {
        // The destination must not be looked for before all of the source has been.
        code.block((single) => {
          branchIf(code, single, i32(length).eqz());
          set(code, target, call(writePlace, to));
          branchIf(code, done, i32(target).eqz());
          set(code, length, smaller(i32(length), room(to).shrU(shift).shl(shift)));
          const overlapsItself = i32(target).sub(i32(source)).sub(1).ltU(i32(bytes).sub(1));
          branchIf(code, single, i32(length).eqz().or(overlapsItself));
          for (const value of [i32(target), i32(source), i32(length)]) value.emit(code);
          code.call(spread);
          code.br(next);
        });
        set(code, length, i32(bytes));
        branchIf(code, done, call(loadElement, from, i32(bytes)).eqz());
        branchIf(code, done, call(storeElement, to, i32(bytes)).eqz());
      });
      for (const [local, value] of [[0, from], [1, to]] as const) set(code, local, value.add(i32(length).extendU()));
      set(code, left, i32(left).sub(i32(length).shrU(shift)));
      code.br(again);
    })
  );
  count.sub(i32(left)).emit(code);
  return code;
}
