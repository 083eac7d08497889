import { assertEquals } from "@std/assert";
import { R } from "../state.ts";
import { findBudgetChecks } from "./budget_checks.ts";
import { findLoaded } from "./pointers.ts";
import { RegionGraph } from "./region_graph.ts";
import { RegisterFlow } from "./register_flow.ts";
import { regionCode } from "./test_code.ts";

const CODE = Uint8Array.fromHex([
  "b903000000", //  0: mov ecx, 3
  "49", //          5: dec ecx
  "75fd", //        6: jnz 5
  "e813000000", //  8: call 32
  "40", //         13: inc eax
  "c3", //         14: ret
].join(""));

function graphOf(bytes: Uint8Array): RegionGraph {
  return new RegionGraph(regionCode(bytes)!.blocks, []);
}

const at = (region: RegionGraph, ip: number) => region.nodeAt(ip)!;

Deno.test("RegionGraph: edges lead to blocks of the region only", () => {
  const region = graphOf(CODE), loop = at(region, 5);
  assertEquals(region.block(loop)?.ip, 5);
  assertEquals(region.block(0), null);
  assertEquals(region.edge(loop, 8)?.target, at(region, 8));
  assertEquals(region.edge(at(region, 8), 32), undefined);
  assertEquals(region.edge(at(region, 13), 0), undefined);
});

Deno.test("RegionGraph: a block that leads to itself is written several times", () => {
  const region = graphOf(CODE), loop = at(region, 5), around = [loop];
  for (let node = loop; region.edge(node, 5)!.target !== loop;) around.push(node = region.edge(node, 5)!.target);
  assertEquals(around.map((node) => region.block(node)!.ip), [5, 5, 5, 5]);
  assertEquals(new Set(around.map((node) => region.block(node)!.instructions[0])).size, 4);
  assertEquals(new Set(around.map((node) => region.edge(node, 8)!.target)), new Set([at(region, 8)]));
});

Deno.test("findBudgetChecks: entries, loops and returns of calls look as far as the next such place", () => {
  const region = graphOf(CODE), { checked, needs } = findBudgetChecks(region);
  const found = [0, 5, 8, 13].map((ip) => [checked[at(region, ip)], needs[at(region, ip)]]);
  assertEquals(found, [[1, 1], [1, 9], [0, 1], [1, 2]]);
});

Deno.test("RegisterFlow: a call stores what was written before it", () => {
  const region = graphOf(CODE), flow = new RegisterFlow(region);
  const AX = 1 << R.AX, CX = 1 << R.CX, SP = 1 << R.SP;
  assertEquals([0, 5, 8, 13].map((ip) => flow.dirty(at(region, ip))), [CX, CX, CX | SP, AX | SP]);
  assertEquals([0, 5, 8, 13].map((ip) => flow.dirtyBefore(at(region, ip))), [0, CX, CX, 0]);
  assertEquals(flow.written, AX | CX | SP);
});

Deno.test("findLoaded: registers may point anywhere where a kernel's region begins, but not around a loop", () => {
  const region = graphOf(CODE), flow = new RegisterFlow(region);
  const loaded = (user: boolean) => [0, 5, 13].map((ip) => findLoaded(region, flow, user)[at(region, ip)]);
  const all = 0xffff & ~(1 << R.SP) & ~(1 << R.BP);
  assertEquals(loaded(false), [all, 0, 1 << R.AX]);
  assertEquals(loaded(true), [0, 0, 1 << R.AX]);
});
