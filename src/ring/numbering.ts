/**
 * Numbers for the rows of a ring that outlast this process: (stream, epoch, number) names a row for
 * ever. Sequences are int32 and begin at 0 with each start; numbers are whole floats and go on
 * where a checkpoint left off.
 */
export class Numbering {
  /** Raised whenever numbers begin anew: what they name is then another row. */
  epoch = 0;
  #seq = 0;
  #number = 0;

  /** Row `seq` bears this number; what was known of earlier rows is forgotten. */
  begin(epoch: number, seq: number, number: number): void {
    this.epoch = epoch;
    this.#seq = seq;
    this.#number = number;
  }

  /** Number of a row less than 2^31 rows away from where `follow` was last. */
  of(seq: number): number {
    return this.#number + ((seq - this.#seq) | 0);
  }

  /** The inverse of `of`. */
  seqOf(number: number): number {
    return (this.#seq + (number - this.#number)) | 0;
  }

  /** Once a while, with the ring's head: sequences come round after 2^32 rows. */
  follow(head: number): void {
    this.#number = this.of(head);
    this.#seq = head;
  }
}
