// The helpers, as functions of bash jobs and as programs on PATH for every other language.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ran, run, succeeded } from './sample.ts';

/** Runs the lines of bash twice: with the functions, then with the programs of the same names. */
async function bothWays(script: string): Promise<[asFunctions: Ran, asPrograms: Ran]> {
  const functions = '[[ $(type -t flwd_log) == function ]]';
  const programs =
    'unset -f flwd_log flwd_progress flwd_result flwd_output flwd_artifact; [[ $(type -t flwd_log) == file ]]';
  return [await run(`${functions}\n${script}`), await run(`${programs}\n${script}`)];
}

function written(ran: Ran, name: string): string {
  return readFileSync(join(ran.spec.attemptDir, 'out', name), 'utf8');
}

async function expectBoth(
  script: string,
  expected: { lines?: string[]; files?: Record<string, string> },
): Promise<void> {
  for (const ran of await bothWays(script)) {
    expect(ran.end).toEqual(succeeded);
    if (expected.lines) expect(ran.lines).toEqual(expected.lines);
    for (const [name, text] of Object.entries(expected.files ?? {})) expect(written(ran, name)).toBe(text);
  }
}

test('flwd_log writes lines of each level, and marks every line of a text', async () => {
  await expectBoth(
    `for level in trace debug info warn warning error fatal; do flwd_log $level "at $level" "and more"; done
     flwd_log info $'two\\n\\n  lines * %s \\\\n'
     flwd_log info`,
    {
      lines: [
        '^tat trace and more',
        '^dat debug and more',
        '^iat info and more',
        '^wat warn and more',
        '^wat warning and more',
        '^eat error and more',
        '^fat fatal and more',
        '^itwo',
        '^i',
        '^i  lines * %s \\n',
        '^i',
      ],
    },
  );
});

test('flwd_progress writes a percentage and one line of text', async () => {
  await expectBoth(`flwd_progress 40 copying "the files"; flwd_progress 99.5 $'two\\nlines'; flwd_progress 0`, {
    lines: ['^P40 copying the files', '^P99.5 two lines', '^P0 '],
  });
});

test('flwd_result writes JSON, from its argument or from standard input', async () => {
  await expectBoth(`flwd_result '{"a": 1}'`, { files: { 'result.json': '{"a": 1}\n' } });
  await expectBoth(`flwd_result 1; echo '["last"]' | flwd_result -`, { files: { 'result.json': '["last"]\n' } });
});

test('flwd_output writes a line, or a block whose end mark is no line of the value', async () => {
  await expectBoth(
    `flwd_output version 1.2.3
     flwd_output path=/a=b
     flwd_output empty ''
     flwd_output notes $'FLWD_EOF\\nb=c\\nFLWD_EOF_'
     printf 'from\\nstdin\\n\\n' | flwd_output input`,
    {
      files: {
        output: [
          'version=1.2.3',
          'path=/a=b',
          'empty=',
          'notes<<FLWD_EOF__',
          'FLWD_EOF',
          'b=c',
          'FLWD_EOF_',
          'FLWD_EOF__',
          'input<<FLWD_EOF',
          'from',
          'stdin',
          'FLWD_EOF',
          '',
        ].join('\n'),
      },
    },
  );
});

test('flwd_artifact writes a line of JSON with the name of a file, whatever characters it has', async () => {
  for (const ran of await bothWays(`
    name=$'quote" back\\\\slash\\ttab\\nline é'
    mkdir -p sub && touch "$name" sub/plain
    flwd_artifact "$name" --name "$name"
    cd sub && flwd_artifact --type=text/plain plain --name 'the report'
    flwd_artifact /workspace/sub/plain --type application/json`)) {
    expect(ran.end).toEqual(succeeded);
    const name = 'quote" back\\slash\ttab\nline é';
    expect(
      written(ran, 'artifacts')
        .split('\n')
        .slice(0, -1)
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([
      { path: `/workspace/${name}`, name, media_type: null },
      { path: '/workspace/sub/plain', name: 'the report', media_type: 'text/plain' },
      { path: '/workspace/sub/plain', name: null, media_type: 'application/json' },
    ]);
  }
});

describe('a usage error', () => {
  test.each([
    ['flwd_log loud text', 2],
    ['flwd_log', 2],
    ['flwd_progress 101', 2],
    ['flwd_progress -1', 2],
    ['flwd_progress half', 2],
    ['flwd_progress 1.2.3', 2],
    ['flwd_result', 2],
    ['flwd_result 1 2', 2],
    ['flwd_output 1st value', 2],
    ["flwd_output 'a b' value", 2],
    ['flwd_output', 2],
    ['flwd_artifact', 2],
    ['flwd_artifact a --name', 2],
    ['flwd_artifact a --colour red', 2],
    ['flwd_artifact not-there', 1],
  ])('such as %s fails and says so', async (line, status) => {
    for (const ran of await bothWays(`echo seen > a; code=0; ${line} || code=$?; echo "status $code"`)) {
      expect(ran.end).toEqual(succeeded);
      expect(ran.lines.toSorted()).toEqual([
        expect.stringMatching(/^\^E(usage: flwd_|flwd_artifact: there is no )/),
        `status ${status}`,
      ]);
    }
  });
});

test('the helpers work whatever the script has done to its shell', async () => {
  const { end, lines } = await run(`
    set +eu; set -f -C; IFS=abc; shopt -s nocasematch extglob
    flwd_log INFO x 2>/dev/null || flwd_log info a b c; flwd_output k v; flwd_output k w; flwd_result 1; flwd_result 2`);
  expect(end).toEqual(succeeded);
  expect(lines.at(-1)).toMatch(/^\^i(x|a b c)$/);
});
