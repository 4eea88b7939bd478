// A crontab of the current user. A test can stop its `crontab` program at each call. The program supports the two calls
// that flwd makes of Debian's crontab: `-l`, and `-` to read standard input.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';

const program = `set -eu
call=$(($(cat "$CRONTAB_DIR/calls") + 1))
echo "$call" > "$CRONTAB_DIR/calls"
stop() { if [[ $(cat "$CRONTAB_DIR/stop") == "$call $1" ]]; then touch "$CRONTAB_DIR/stopped"; wait_for_end; fi; }
# flwd is killed meanwhile, and this program with it.
wait_for_end() { while kill -0 "$PPID" 2> /dev/null; do sleep 0.05; done; exit 1; }
stop before
case "$1" in
  -l) if [[ -e $CRONTAB_DIR/table ]]; then cat "$CRONTAB_DIR/table"; else echo "no crontab for me" >&2; exit 1; fi ;;
  -) cat > "$CRONTAB_DIR/new"; mv "$CRONTAB_DIR/new" "$CRONTAB_DIR/table" ;;
esac
stop after
`;

export function createCrontab(dir: string, text: string) {
  const folder = join(dir, 'cron');
  mkdirSync(folder);
  const file = (name: string): string => join(folder, name);
  writeFileSync(file('crontab'), `#!/bin/bash\nCRONTAB_DIR='${folder}'\n${program}`, { mode: 0o755 });
  writeFileSync(file('table'), text);
  writeFileSync(file('calls'), '0');
  writeFileSync(file('stop'), '');
  return {
    env: { PATH: `${folder}:${process.env.PATH}` },
    read: () => readFileSync(file('table'), 'utf8'),
    write: (to: string) => writeFileSync(file('table'), to),
    /** Stops the program at this call, counted from 1. */
    stopAt(call: number, when: 'before' | 'after') {
      rmSync(file('stopped'), { force: true });
      writeFileSync(file('calls'), '0');
      writeFileSync(file('stop'), `${call} ${when}\n`);
    },
    neverStop: () => writeFileSync(file('stop'), ''),
    stopped: () => expect.poll(() => existsSync(file('stopped'))).toBe(true),
  };
}
