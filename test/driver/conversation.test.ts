import { expect, test } from "bun:test";
import { Conversation } from "../../src/driver/modbus/conversation.ts";
import { withCrc } from "./support.ts";

/** What became of a read of `holding 5..6` of station 1 that was followed by these bytes. */
function after(...pieces: readonly (readonly number[] | Uint8Array)[]): string[] {
  const told: string[] = [];
  const conversation = new Conversation(100, 1, {
    asked: () => { told.push("asked"); },
    answered: (data, at) => { told.push(`answered ${data.slice(at, at + 4).toHex()}`); },
    refused: (exception) => { told.push(`refused ${exception}`); },
    unanswered: (isGarbled) => { told.push(isGarbled ? "garbled" : "silent"); },
  });
  const bytes = Uint8Array.from([...withCrc(1, 3, 0, 5, 0, 2), ...pieces.flatMap((p) => [...p])]);
  conversation.receive(bytes, bytes.length, 1000);
  conversation.step(1200);
  return told.slice(1);
}

const answer = withCrc(1, 3, 4, 0, 7, 0, 8);
const value = ["answered 00070008"];

test.each([
  ["its answer", [answer], value],
  ["a refusal", [withCrc(1, 0x83, 2)], ["refused 2"]],
  ["nothing", [], ["silent"]],
  ["three stray bytes and the answer", [[9, 9, 9], answer], value],
  ["so many bytes that they may have been a frame", [[9, 9, 9, 9], answer], ["garbled"]],
  ["an answer of another station", [withCrc(2, 3, 4, 0, 7, 0, 8)], ["garbled"]],
  ["one of another function", [withCrc(1, 4, 4, 0, 7, 0, 8)], ["garbled"]],
  ["one of another length", [withCrc(1, 3, 2, 0, 7)], ["garbled"]],
  ["one with a wrong CRC", [answer.map((byte, i) => (i === 4 ? byte ^ 1 : byte))], ["garbled"]],
])("a read counts with %s as it should", (_, pieces, told) => {
  expect(after(...pieces)).toEqual(told);
});

test("another request in the answer's place ends the one before, unanswered", () => {
  expect(after(withCrc(1, 3, 0, 9, 0, 2), answer)).toEqual(["silent", "asked", ...value]);
});
