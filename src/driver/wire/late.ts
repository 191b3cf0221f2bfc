/**
 * Why a connection is given up after a timeout where answers have no numbers: what comes late comes
 * by the old one, and is nobody's.
 */
export const late_answer = "an answer is late, and nothing would tell it from the next one: the " +
  'connection is made anew; a longer "timeout" is right if that is often';
