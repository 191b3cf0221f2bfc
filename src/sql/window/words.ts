/**
 * Words of the state field `window` (float64, so that a checkpoint is a copy):
 *
 *     0 open     1 = a window is open
 *     1 end      engine time at which it closes (tumbling, a pane)
 *     2 groups   groups in use
 *     3 seen     rows taken (count)
 *     4 closing  1 = its groups are being written out
 *     5 written  groups written so far
 *     6 dropped  rows lost to a full key table
 *     7 closed   engine time of the rows being written out
 *     8 start    time at which the window began: aligned (tumbling), of its first row (count)
 *     9 doubted  rows kept out because what decides about them was not good (strict, W8)
 *    10 since    beginning of the newest pane with such a row
 *    11 missed   time of the newest row that is missing, 0 = none is
 *    12 evicted  groups that gave way to others
 *    13 passed   rows of an earlier time are late (late.ts)
 *    14 late     such rows
 */
export const word = {
  open: 0, end: 1, groups: 2, seen: 3, closing: 4, written: 5, dropped: 6, closed: 7, start: 8,
  doubted: 9, since: 10, missed: 11, evicted: 12, passed: 13, late: 14,
} as const;
export const window_words = 15;
