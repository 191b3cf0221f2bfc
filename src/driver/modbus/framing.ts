/** What a look at the received bytes found. */
export const NOTHING = 0;
export const ANSWER = 1;
/** A frame that stands where the answer should be and is none (station, function, length, CRC). */
export const DAMAGED = 2;
/** The stream shows no frame any more; only a new connection helps. */
export const LOST = 3;
/** Why the connection is given up then. */
export const no_frame = "what came is no Modbus frame: are port and \"framing\" right?";

/**
 * How PDUs become frames on one medium. It knows bytes and time only. One request is out at a time;
 * it is built in `pdu` from `pduAt` on and leaves as the first bytes of `out`, which may be the
 * same bytes; its answer is found in `input` from `answerAt` on.
 */
export interface Framing {
  readonly pdu: Uint8Array;
  readonly pduAt: number;
  readonly out: Uint8Array;
  readonly input: Uint8Array;
  readonly answerAt: number;
  /** An answer says which request it belongs to: nothing need be forgotten before the next one. */
  readonly isNumbered: boolean;
  /** Bytes that belonged to no exchange. */
  readonly stray: number;
  /** Those of them since the request left that no late answer explains; 0 where it has a number. */
  readonly odd: number;
  /** Something came since the request left, and it was not its echo alone. */
  readonly isHeard: boolean;
  /** What was found out about the medium and a person should know; empty = nothing. */
  readonly remark: string;
  /** Makes the request of `n` PDU bytes a frame; its length. */
  seal(station: number, n: number): number;
  /** Length of the frame of a PDU of `n` bytes. */
  size(n: number): number;
  /** When a request to this station may leave (ms). */
  sendAt(station: number, now: number): number;
  /** `n` bytes leave now. */
  sent(n: number, now: number): void;
  /** How long `n` bytes are on their way (ms). */
  travel(n: number): number;
  /**
   * Takes bytes of `bytes[at…n)`, all over by `now`, while there is room; the place of the first
   * not taken.
   */
  push(bytes: Uint8Array, at: number, n: number, now: number): number;
  /**
   * Looks for the answer to `code` from `station`, whose PDU has `length` bytes unless it refuses.
   * On ANSWER its PDU is at `answerAt`.
   */
  take(station: number, code: number, length: number): number;
  /** No exchange runs: what was received belongs to nobody. */
  discard(): void;
  /** A request that is not ours was heard: another master is on this bus. */
  readonly foreign: boolean;
  /** The exchange with this station ended without an answer. */
  unanswered(station: number, timeout_ms: number, now: number): void;
  /** The wire closed; `goesOn`: it is opened anew, to the same line. */
  clear(goesOn: boolean): void;
}
