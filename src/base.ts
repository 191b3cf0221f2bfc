/** The ground everything stands on: it knows nothing of tags, rings or rules. */
export { Alike } from "./base/alike.ts";
export { assert, never } from "./base/assert.ts";
export { Fault, reason, type FaultValues, type Retry } from "./base/fault.ts";
export { systemClock, type Clock } from "./base/clock.ts";
export { createLog, type Log, type LogLevel, type LogSink } from "./base/log.ts";
export { createRandom, drawSeed, type Random } from "./base/random.ts";
export { eventLoop, type Timers } from "./base/timers.ts";
export { Wait } from "./base/wait.ts";
export { limits } from "./base/limits.ts";
export { duration, formatDuration } from "./base/duration.ts";
export { nearest } from "./base/nearest.ts";
export { cronProblem, scheduleAt, type Schedule } from "./base/schedule.ts";
export { isoTime } from "./base/time-text.ts";
export { days, formatTime, months, patternFault, readTime } from "./base/time-pattern.ts";
export { offsetOf, zoneFault } from "./base/zone.ts";
export { remember } from "./base/remember.ts";
export { base64Into, hex, nextPowerOfTwo } from "./base/bytes.ts";
export { orAborted } from "./base/aborted.ts";
