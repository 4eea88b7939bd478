// What a bash job gets before its first line runs.

import { describe, expect, test } from 'vitest';
import { run, succeeded } from './sample.ts';

describe('a failed command', () => {
  test.each([
    ['a command', 'echo before\nfalse\necho after', 1, ['before', '^Erun.sh:2: failed with status 1: false']],
    [
      'a command that is not there',
      'no-such-command --x 2>/dev/null',
      127,
      ['^Erun.sh:1: failed with status 127: no-such-command --x 2> /dev/null'],
    ],
    [
      'a function',
      'inner() {\n  ls /nowhere 2>/dev/null\n  echo after\n}\ninner',
      2,
      ['^Erun.sh:2: failed with status 2: ls /nowhere 2> /dev/null'],
    ],
    [
      'the first part of a pipeline',
      'true\nfalse | cat',
      1,
      ['^Erun.sh:2: failed with status 1: a pipeline that ends with cat'],
    ],
    [
      'a command of several lines',
      'ls /nowhere \\\n  /else 2>/dev/null',
      2,
      ['^Erun.sh:1: failed with status 2: ls /nowhere /else 2> /dev/null'],
    ],
    ['a text of several lines', `[[ "a\nb" == c ]]`, 1, ['^Erun.sh:2: failed with status 1: [[ "a …']],
    [
      'a subshell, once',
      '(\n  cd /nowhere 2>/dev/null\n  echo after\n)\necho after',
      1,
      [expect.stringMatching(/^\^Erun\.sh:\d: failed with status 1: \( cd \/nowhere/)],
    ],
    ['a substitution, once', 'x=$(false)\necho after', 1, ['^Erun.sh:1: failed with status 1: x=$(false)']],
    ['the last of the arithmetic', '(( 0 ))', 1, ['^Erun.sh:1: failed with status 1: (( 0 ))']],
  ])('such as %s ends the script and is reported in one line', async (_what, script, code, lines) => {
    const ran = await run(script);
    expect(ran.end).toEqual({ kind: 'exited', code });
    expect(ran.lines).toEqual(lines);
  });

  test('in a file that the script sources is reported with that file', async () => {
    const { lines } = await run('source /job/lib/part.sh', { files: { 'lib/part.sh': 'true\n\nfalse\n' } });
    expect(lines).toEqual(['^Elib/part.sh:3: failed with status 1: false']);
  });

  test('with a variable that is not set ends the script, and the report names the variable', async () => {
    const { end, lines } = await run('echo before\necho "$nowhere"\necho after');
    expect(end).toEqual({ kind: 'exited', code: 1 });
    expect(lines).toEqual(['before', '^E/job/run.sh: line 2: nowhere: unbound variable']);
  });

  test('that the script handles is not reported', async () => {
    const { end, lines } = await run(`
      if false; then :; fi
      false || true
      ! true
      x=$(false; echo inner)
      set +e; false; set -e
      while false; do :; done
      echo "done $x"`);
    expect(end).toEqual(succeeded);
    expect(lines).toEqual(['done inner']);
  });

  test('keeps its exit code, and a script that exits by itself keeps its own', async () => {
    expect(await run('trap "echo cleaned" EXIT\nexit 75')).toMatchObject({
      end: { kind: 'exited', code: 75 },
      lines: ['cleaned'],
    });
    expect((await run('bash -c "exit 42"')).end).toEqual({ kind: 'exited', code: 42 });
  });
});

describe('the shell of a bash job', () => {
  test('splits words only at newlines and tabs', async () => {
    const { lines } = await run('words=$\'a b\\tc\\nd\'; for word in $words; do echo "<$word>"; done');
    expect(lines).toEqual(['<a b>', '<c>', '<d>']);
  });

  test('knows the path of the script in the job, and passes on the words of the command', async () => {
    const { lines } = await run('echo "$0" "${BASH_SOURCE[0]}" "$#" "$@"; pwd', {
      command: ['./run.sh', 'a b', './data.txt', '$HOME'],
    });
    expect(lines).toEqual(['/job/run.sh /job/run.sh 3 a b /job/data.txt $HOME', '/workspace']);
  });

  test('has the arguments as variables, which no other program can see', async () => {
    const { lines } = await run(
      `declare -p text keep force tags settings absent | sed 's/^declare //'
       env | grep -cE '^(text|keep|force)=' || true`,
      {
        args: { text: "it's $(id)", keep: 3, force: true, tags: ['a b', 'c'], settings: { region: 'eu' } },
        argspec: {
          properties: {
            text: { type: 'string' },
            keep: { type: 'integer' },
            force: { type: 'boolean' },
            tags: { type: 'array' },
            settings: { type: 'object' },
            absent: { type: 'string' },
          },
        },
      },
    );
    expect(lines).toEqual([
      `-- text="it's \\$(id)"`,
      '-i keep="3"',
      '-- force="true"',
      '-a tags=([0]="a b" [1]="c")',
      '-A settings=([region]="eu" )',
      '-- absent=""',
      '0',
    ]);
  });

  test('is prepared only once: a bash that the script starts is an ordinary one', async () => {
    const { end, lines } = await run(
      `
      echo "\${BASH_ENV-unset}"
      bash -c 'false; echo "$-" "\${BASH_ENV-unset}" "\${target-unset}"; type -t flwd_log'`,
      { args: { target: 'x' }, argspec: { properties: { target: {} } } },
    );
    expect(end).toEqual(succeeded);
    expect(lines).toEqual(['unset', 'hBc unset unset', 'file']);
  });
});
