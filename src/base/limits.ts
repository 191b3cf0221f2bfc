import { assert } from "./assert.ts";

/**
 * Every bound of the runtime: name with its unit, value, reason. A firmware profile may lower those
 * it names, never raise them.
 */
export const limits = {
  /**
   * Bytes that the garbage collector takes for the machine's memory: they set how far a heap may
   * grow between two collections. With the machine's own 24 GiB a heap of 20 MiB was measured to
   * grow by another 31 when others kept the processor busy; with this by at most 10.
   */
  collector_memory_bytes: 64 * 1024 * 1024,
  /**
   * Bytes of machine code that the engine makes of ours and of models. Without a bound 1,000 rules
   * of 1,000 shapes took 27 MiB, and as much again to describe it; the fuller it is, the more often
   * something must run before it is compiled. Two models were measured to need 6 MiB.
   */
  code_memory_bytes: 16 * 1024 * 1024,
  /** Pieces of a link's traffic that are kept for somebody who looks at it: some seconds of it. */
  frames_kept: 512,
  /** A forced value ends by itself: who forgot it must not find it the next day. */
  force_minutes_max: 60,
  /** Rows one step works off in one turn, so that no step holds its thread for long. */
  rows_per_step_max: 1024,
  /** A ring keeps at least this many rows, whatever its rate. */
  ring_rows_min: 16,
  /** A ring keeps at most this many rows (sequence numbers are compared modulo 2^32). */
  ring_rows_max: 1 << 20,
  /** Rows that a window keeps where neither it nor its stream says how many they will be. */
  window_rows_default: 4096,
  /** Groups of panes that a hopping window keeps at most: 16 panes of 1,024 groups. */
  pane_rows_max: 1 << 14,
  /** Rows of several streams that a window keeps to join them, and joined rows of one window. */
  join_rows_max: 4096,
  /** Pairs of a row and a row of a table that one pass of a join tests: 0.1 ms. */
  scan_pairs_max: 1 << 14,
  /** Rows of a ring between two stages of a rule: what one writes the next reads at once. */
  stage_rows: 64,
  /** A reader may lag this far behind before it loses rows (ms), by default. */
  reader_lag_ms: 2000,
  /** Columns of one stream: a group of 10,000 tags is one stream. */
  columns_max: 16384,
  /** Rows that `lag` looks back at most: it keeps them all, for each key. */
  lag_rows_max: 1024,
  /** Characters of a stage's program: what 1,000 functions with state take, and a second. */
  kernel_chars_max: 1 << 23,
  /** Parts that a user's functions make of one query: some pages of SQL. */
  inlined_nodes_max: 10_000,
  /** Groups of a GROUP BY where KEYS does not say: some hundred devices. */
  group_keys_default: 1024,
  /** Keys of a PARTITION BY where KEYS does not say: some hundred devices. */
  partition_keys_default: 1024,
  /** Keys of a PARTITION BY at most: each takes the function's state. */
  partition_keys_max: 1 << 20,
  /** Bytes of the result of a function that gathers values, where one of them is not longer. */
  list_bytes_default: 4096,
  /** Bytes of what a message says of itself: topic, qos and id. */
  meta_bytes: 256,
  /** Rows of a lookup table that are kept, where it does not say; and at most. */
  table_rows_default: 1024,
  table_rows_max: 1 << 18,
  /** Keys of one question to a lookup table: an IN list that every database takes. */
  lookup_keys_max: 256,
  /**
   * Steps in which parser, checks and binder understand one query: 15,000 columns, as a wide
   * message has, are some 200,000.
   */
  query_steps_max: 1 << 19,
  /** Calls of models in one query: each is a stage of its own, between two more rings. */
  query_models_max: 32,
  /**
   * Levels of one expression with what its aliases stand for, and operators in one chain: they are
   * gone down by recursion.
   */
  expression_levels_max: 500,
  /** Bytes of one text, bytes or json slot. */
  slot_bytes_max: 65536,
  /** Items of a tag that is an array; one request carries less of most protocols. */
  array_items_max: 2000,
  /** An arming lasts at most this long (W1). */
  arm_minutes_max: 60,
  /** An arming waits so long for the end of a rule's command: rules write while it is prolonged. */
  arm_wait_ms_max: 1000,
  /** An alarm lies on the shelf at most this long: a day off, not for ever. */
  shelve_ms_max: 7 * 86_400_000,
  /** A command from outside may ask for a deadline at most this far ahead (W17). */
  deadline_ms_max: 60_000,
  /**
   * Starts without an orderly stop or 10 minutes of health before safe mode (W5); 0 = off.
   */
  starts_max: 3,
  /** A run this long without trouble clears the record of starts. */
  health_minutes: 10,
  /** A role whose turn counter stands still for this long ends the process (W6). */
  stall_ms_max: 2000,
  /** Disarm must be answered within this time, or the runtime is killed (W4). */
  disarm_ms_max: 2000,
  /** So long of it a write that left may wait for its answer; then its connection is given up. */
  disarm_patience_ms: 500,
  /**
   * A frame that left has its deadline for the read-back, too, and so long where little of that is
   * left: what is not known blocks automatic writes (W15).
   */
  read_back_ms_min: 2000,
  /** Places of tags that one transaction saves: some 10 ms of a busy gateway's thread. */
  places_a_step_max: 500,
  /** Commands waiting for one link between gate and wire. */
  commands_max: 64,
  /** Messages of the command topic that wait to be read; more are dropped and counted (W17). */
  commands_waiting_max: 256,
  /**
   * Of these so many are taken in one turn, and then none for so long: a refusal costs a place in a
   * commit of the audit, and an SD card needs 20 ms for one.
   */
  commands_per_turn_max: 4,
  commands_rest_ms: 25,
  /** Characters of one command on the topic; a real one has some 600 at most. */
  command_bytes_max: 4096,
  /**
   * REST requests in flight, of the network and of the command line each; more are refused. Writes
   * wait for their outcomes, so there is room for the commands of a link and for questions.
   */
  api_requests_max: 128,
  /** Rows of one answer of the audit: one question must not hold its thread for long. */
  audit_rows_max: 1000,
  /** Bytes of one REST body. */
  body_bytes_max: 1 << 20,
  /** Braces and brackets inside each other in the configuration: parsers go down by recursion. */
  nesting_max: 100,
  /** Messages of one source that wait to become durable; then its sender waits. */
  journal_messages_max: 4096,
  /**
   * Marks of durable messages that are kept to know one again that is sent twice: more than a
   * broker has on their way at once, whose acknowledgements a kill may lose.
   */
  journal_marks_min: 8192,
  /** Pause between two commits of the journal: an SD card survives ten a second. */
  journal_ms_min: 100,
  /** One turn goes over rules for so long (ms), looking at the clock after so many of them. */
  round_turn_ms: 5,
  round_rules: 16,
  /** Bytes of operator state that one turn copies: 1 ms on a small ARM core. */
  checkpoint_turn_bytes: 256 << 10,
  /** Bytes of one page of operator state: what did not change is not written again. */
  checkpoint_page_bytes: 16 << 10,
  /** Packed pages that wait for the disk; while there are more, rules wait. */
  checkpoint_waiting_bytes: 4 << 20,
  /** Bytes of one commit of a checkpoint, and the pause after it (ms): others use the disk too. */
  checkpoint_commit_bytes: 128 << 10,
  checkpoint_commit_ms: 20,
  /** Checkpoints are taken less often where they would write more (flash wear). */
  checkpoint_bytes_per_hour: 256 << 20,
  /** Bytes of one MQTT message; a longer one ends the connection before it is kept. */
  mqtt_message_bytes_max: 1 << 20,
  /** Bytes of the configuration file. */
  config_bytes_max: 16 << 20,
  /** A rule that is only tried: bytes of its own arena, ms of its time, rows given and shown. */
  try_bytes_max: 16 << 20,
  try_ms_max: 50_000,
  /** Rows that come are fetched several times in this, so that its rings need room for no more. */
  try_lag_ms: 250,
  try_rows_max: 1000,
  /** Registers of one Modbus read (application protocol 1.1b3, 6.3). */
  modbus_registers_max: 125,
  /** Coils or discrete inputs of one Modbus read (6.1). */
  modbus_bits_max: 2000,
  /** Registers of one FC16 (6.12). */
  modbus_write_registers_max: 123,
  /** Connections to one Modbus server of ours. */
  register_clients_max: 64,
  /** Requests that one of them may have under way (Modbus on TCP/IP 1.0b, 4.4.1.3). */
  register_requests_max: 16,
  /** Bytes of one telegram of a machine without a standard: what is longer is no telegram. */
  telegram_bytes_max: 1024,
  /** Bytes of a telegram that writes: it stands whole in the audit. */
  telegram_write_bytes_max: 120,
  /** Bytes of a text that is written, whatever the protocol: it goes through the command ring. */
  text_write_bytes_max: 64,
  /** Texts that a policy may name for one tag, and characters of a pattern in their place. */
  policy_texts_max: 256,
  policy_pattern_max: 128,
  /** A connection that is not up after this long is given up and tried again. */
  connect_ms_max: 3000,
  /** Pause before a failed link is opened again: doubled from the first to the second (ms). */
  reconnect_ms_min: 100,
  reconnect_ms_max: 10_000,
  /** Polls and commands wait so long for a connection that was given up for a late answer (ms). */
  renew_ms_max: 500,
  /**
   * A tag whose address a device says it does not have is asked for again after this long (ms), and
   * then after twice as long, up to the second.
   */
  refused_ms_min: 10_000,
  refused_ms_max: 600_000,
  /** Requests of one poll that come of halving refused ones: the search goes on in the next. */
  split_requests_max: 64,
  /** A serial port is listened to this long before the first byte is sent (ms). */
  serial_listen_ms: 2000,
} as const;

assert((limits.ring_rows_max & (limits.ring_rows_max - 1)) === 0, "ring_rows_max: a power of two");
assert(limits.ring_rows_min >= 2 && limits.ring_rows_min <= limits.ring_rows_max, "ring_rows_min");
assert(limits.window_rows_default <= limits.ring_rows_max, "window_rows_default");
assert(limits.stage_rows >= limits.ring_rows_min, "stage_rows >= ring_rows_min");
assert(limits.pane_rows_max <= limits.ring_rows_max, "pane_rows_max");
assert(limits.api_requests_max >= 2 * limits.commands_max, "api_requests_max >= 2 commands_max");
assert(limits.text_write_bytes_max < limits.telegram_write_bytes_max, "text_write_bytes_max");
assert(limits.reconnect_ms_min < limits.reconnect_ms_max, "reconnect_ms_min < reconnect_ms_max");
