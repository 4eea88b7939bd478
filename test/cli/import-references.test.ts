// A reference that another scheduler would replace in the text of a script becomes a variable. The scripts run in real
// shells, with a value that would do harm if it were ever read as code.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { replaceReferences } from '../../src/cli/import/formats/shell-references.ts';
import { createFolder } from './terminal.ts';

const value = `$(touch pwned) \`touch pwned\` "; touch pwned; ' & * \\`;

function replaced(script: string, isSplit = false): string {
  const found = replaceReferences(script, /@option\.(\w+)@/g, ([, name = '']) => ({ variable: `RD_${name}`, isSplit }));
  if (found.problems.length > 0) throw new Error(found.problems.join());
  return found.text;
}

test.each([
  ['without quotes', "printf '%s' @option.X@", value],
  ['in a word', "printf '%s' a@option.X@b", `a${value}b`],
  ['in double quotes', `printf '%s' "a @option.X@ b"`, `a ${value} b`],
  ['in single quotes', `printf '%s' 'a @option.X@ "b"'`, `a ${value} "b"`],
  ['in an assignment', `X=@option.X@; printf '%s' "$X"`, value],
  ['in a command substitution', `printf '%s' "$(printf '%s' @option.X@)"`, value],
  ['in quotes in a command substitution', `printf '%s' "$(printf '%s' "@option.X@")"`, value],
  ['in backticks', "printf '%s' `printf '%s' @option.X@ | wc -c`", String(value.length)],
  ['in single quotes in backticks', "printf '%s' `printf '%s' 'a @option.X@' | wc -c`", String(value.length + 2)],
  ['in a here-document', 'cat <<EOF\n@option.X@\nEOF\n', `${value}\n`],
  ['after a comment and an apostrophe in it', `# don't @option.X@\nprintf '%s' "@option.X@"`, value],
  ['after an escaped quote', `printf '%s' \\"@option.X@`, `"${value}`],
  ['in a test', `[ @option.X@ = "$RD_X" ] && printf yes`, 'yes'],
  ['in a case', `case @option.X@ in a) ;; *) printf '%s' "@option.X@" ;; esac`, value],
])('a reference %s is replaced by its value, which is never run as code', (_where, script, printed) => {
  const text = replaced(script);
  for (const shell of ['/bin/sh', 'bash']) {
    const dir = createFolder();
    const { stdout, status } = spawnSync(shell, ['-c', text], {
      cwd: dir,
      env: { PATH: process.env.PATH, RD_X: value },
      encoding: 'utf8',
    });
    expect({ shell, text, stdout, status }).toEqual({ shell, text, stdout: printed, status: 0 });
    expect(existsSync(join(dir, 'pwned'))).toBe(false);
  }
});

test('a list of words is split into its words, which are never run as code', () => {
  const dir = createFolder();
  const text = replaced('for i in @option.X@; do printf "<%s>" "$i"; done', true);
  const { stdout } = spawnSync('/bin/sh', ['-c', text], {
    cwd: dir,
    env: { PATH: process.env.PATH, RD_X: 'ada $(touch pwned)' },
    encoding: 'utf8',
  });
  expect(stdout).toBe('<ada><$(touch><pwned)>');
  expect(existsSync(join(dir, 'pwned'))).toBe(false);
});

test('a here-document without expansion cannot contain a value', () => {
  expect(() => replaced("cat <<'EOF'\n@option.X@\nEOF\n")).toThrow(
    'is inside a here-document that expands nothing: read RD_X',
  );
});
