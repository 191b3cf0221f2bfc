import { closeTty, openPty, openTty, type LineSettings } from "../../src/base/os.ts";

/** Opens a pty with the settings of each argument (JSON); run under the recorder. */
for (const argument of process.argv.slice(2)) {
  const pty = openPty();
  closeTty(openTty(pty.path, JSON.parse(argument) as LineSettings));
  pty.close();
}
