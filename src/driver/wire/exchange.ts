/** What the sessions of all protocols take alike, and say of a connection that they give up. */

/** The last look of what is no write: it may arrive whenever it does. */
export const anyTime = (): number => Infinity;

/** Where answers have no numbers: what comes late comes by the old connection, and is nobody's. */
export const late_answer = "an answer is late, and nothing would tell it from the next one: the " +
  'connection is made anew; a longer "timeout" is right if that is often';

/** Where answers have no numbers: which question the next one is of nobody could tell. */
export const out_of_step = "what came is no answer to what was asked, or one too many, and " +
  "nothing would tell the next answer from another's: the connection is made anew";

/** It may still be under way (W14). */
export const unanswered_write = "a write was not answered";

/** Two masters on a bus end in damaged frames for both: leave it and listen. */
export const other_master = "another master speaks here: a bus has one, so end it, or this link";
