import { Fault, nearest } from "../../base.ts";

/** Control characters by their names in ASCII: `<STX>` is byte 2. */
const names = ["NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF",
  "CR", "SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB",
  "ESC", "FS", "GS", "RS", "US"];

const wrong = (text: string, sentence: string): Fault =>
  new Fault("telegram-text", `\`${text}\`: ${sentence}`, { text });

/**
 * Bytes as the configuration spells them: characters, and in angle brackets a control character by
 * its name (`<CR>`) or a byte as two hexadecimal digits (`<1B>`; `<3C>` is the bracket itself).
 */
export function bytesOf(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const [piece, named] of text.matchAll(/<([^<>]*)>|[^]/gu)) {
    if (named !== undefined) bytes.push(byteNamed(text, named));
    else if (piece === "<") throw wrong(text, "`<` begins a byte as in `<CR>`; itself it is <3C>");
    else if (piece.codePointAt(0)! > 0x7e) {
      throw wrong(text, `\`${piece}\` is no ASCII character; write its bytes, such as <B0>`);
    } else bytes.push(piece.codePointAt(0)!);
  }
  return Uint8Array.from(bytes);
}

function byteNamed(text: string, name: string): number {
  if (/^[0-9A-Fa-f]{2}$/.test(name)) return parseInt(name, 16);
  const known = names.indexOf(name.toUpperCase());
  if (known >= 0) return known;
  const meant = nearest(name.toUpperCase(), names);
  throw wrong(text, `<${name}> is no byte: two hexadecimal digits or a name such as <CR>` +
    (meant === null ? "" : `; was <${meant}> meant?`));
}

/** The same text back, for a person. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    if (byte < 0x20) text += `<${names[byte]}>`;
    else if (byte < 0x7f && byte !== 0x3c) text += String.fromCharCode(byte);
    else text += `<${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
  }
  return text;
}
