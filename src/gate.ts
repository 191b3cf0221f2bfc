/** The write gate: every path to equipment goes through it (docs/writing-rules.md). */
export {
  decide, lastLook, mayLeave, permitsUntil, testCaller, type Admitted, type Verdict,
} from "./gate/gate.ts";
export {
  refusals, refuse, sentenceOf, type Code, type Refusal, type Values,
} from "./gate/codes.ts";
export {
  isExternal, isOnLoss, isProve, isRule, keyOf, onLossCommand, proveCommand, ruleCommand,
  type Command, type Inputs, type Origin,
} from "./gate/command.ts";
export {
  lsbOf, pathHash, sameRaw, whyUnsupported, withinOneLsb, type Encoded, type Path, type TagFacts,
} from "./gate/path.ts";
export {
  dayOf, dayStart, type Arming, type Box, type GateState, type Pending, type PermitCell,
  type ReadResult, type TagView,
} from "./gate/state.ts";
export { TagState, type Observed } from "./gate/tag-state.ts";
export {
  broadcastOutcome, readBackOutcome, refusedOutcome, wireOutcome, type Outcome,
} from "./gate/outcome.ts";
export { armingEnds, losesValue, tryArm, type ArmAsk } from "./gate/arming.ts";
export { widenings } from "./gate/narrow.ts";
export { LossWatch, lossText, type Loss } from "./gate/on-loss.ts";
export { legibleId, parseCommand, type Arrival } from "./gate/external.ts";
export { disarm, type Disarmed, type DisarmSteps } from "./gate/latch.ts";
