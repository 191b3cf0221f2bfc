/** A worker that answers any message with its monotonic time. */
import { monotonic } from "../../src/base/os.ts";

declare const self: Worker;

self.onmessage = () => self.postMessage(monotonic());
