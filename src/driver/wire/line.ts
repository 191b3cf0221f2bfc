/** What a serial line carries, whether bytes come by it or over IP. */
export interface LineSettings {
  readonly baud: number;
  readonly dataBits: 7 | 8;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
}

/** ms of one character: start bit, data bits, parity, stop bits. */
export function character_ms(line: LineSettings): number {
  const bits = 1 + line.dataBits + (line.parity === "none" ? 0 : 1) + line.stopBits;
  return bits * 1000 / line.baud;
}
