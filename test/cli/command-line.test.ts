import { describe, expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { createInstance } from './an-instance.ts';
import { createFolder, flwd } from './terminal.ts';

test.each([['version'], [':version'], ['--version'], ['-V']])(
  'flwd %s prints the version and nothing else',
  async (word) => {
    expect(await flwd(createFolder(), word)).toEqual({ code: 0, stdout: 'flwd 0.1.0\n', stderr: '' });
  },
);

describe('help', () => {
  test.each([['help'], ['--help'], ['-h'], [':help']])('flwd %s lists every command', async (word) => {
    const { code, stdout, stderr } = await flwd(createFolder(), word);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { name, about } of commands) {
      // Some command names are the beginning of another command name.
      const lines = stdout.split('\n').filter((line) => line.startsWith(`  ${name} `));
      expect(lines).toContainEqual(expect.stringContaining(about));
    }
  });

  test.each([
    ['help', 'tokens'],
    ['tokens', '--help'],
  ])('flwd %s %s lists the commands of tokens', async (...words) => {
    const { code, stdout } = await flwd(createFolder(), ...words);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: flwd tokens COMMAND /);
    expect(stdout).toMatch(/^ {2}tokens create +create a token/m);
    expect(stdout).toMatch(/^ {2}tokens revoke ID +revoke a token/m);
  });

  test.each([
    ['help', 'serve'],
    ['serve', '--help'],
    [':serve', '-h'],
    ['--help', 'serve'],
  ])('flwd %s %s lists the options of serve', async (...words) => {
    const { code, stdout } = await flwd(createFolder(), ...words);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: flwd serve \[OPTIONS\]/);
    for (const option of [
      '--config FILE',
      '--bind HOST:PORT',
      '--data-dir DIR',
      '--jobs DIR',
      '--profile PROFILE',
      '--log FORMAT',
    ]) {
      expect(stdout).toContain(`  ${option} `);
    }
  });
});

test('a noun alone lists its objects, even if it has only subcommands', async () => {
  const { dir } = await createInstance({});
  expect(await flwd(dir, 'tokens', 'create', '--name', 'ci', '--scopes', 'runs:read')).toMatchObject({ code: 0 });
  for (const noun of ['tokens', 'secrets', 'kv'])
    expect(await flwd(dir, noun, '--json')).toEqual(await flwd(dir, noun, 'list', '--json'));
  expect(await flwd(dir, 'tokens')).toMatchObject({ code: 0, stdout: expect.stringContaining(' ci ') });
});

test.each([
  ['', 'which command? flwd --help lists them, and flwd --version prints the version'],
  ['-v', 'which command? flwd --help lists them, and flwd --version prints the version'],
  ['sevre', 'there is no command or job `sevre`; did you mean `serve`?'],
  [':sevre', 'unknown command `sevre`; did you mean `serve`?'],
  ['zzzzzz', 'there is no command or job `zzzzzz`; see flwd --help for commands and flwd jobs for jobs'],
  [':zzzzzz', 'unknown command `zzzzzz`; see flwd --help'],
  ['help sevre', 'there is no command or job `sevre`; did you mean `serve`?'],
  ['config', 'flwd config needs a command: validate or show'],
  ['config shwo', 'unknown command `config shwo`; did you mean `show`?'],
  ['--bind x serve', '--bind: options come after the command, as in flwd COMMAND --bind'],
  ['--config x serve', 'x: cannot be read: no such file'],
  ['serve --bnd x', 'unknown option --bnd; did you mean `--bind`?'],
  ['serve --port 8080', 'unknown option --port; write flwd serve --bind 127.0.0.1:8080'],
  ['serve -z', 'unknown option -z; see flwd serve --help'],
  ['serve --bind', '--bind needs a value: --bind HOST:PORT'],
  ['serve --bind --log text', '--bind needs a value: --bind HOST:PORT'],
  ['serve --log=', '--log needs a value: --log FORMAT'],
  ['serve --log text --log json', '--log is given twice'],
  ['serve jobs', 'unexpected word `jobs`: flwd serve takes no operands; did you mean flwd serve --jobs jobs?'],
  [
    'events run_01J',
    'unexpected word `run_01J`: flwd events takes no operands; did you mean flwd events --run run_01J?',
  ],
  ['serve 80', 'unexpected word `80`: flwd serve takes no operands; did you mean flwd serve --bind 127.0.0.1:80?'],
  ['serve :80', 'unexpected word `:80`: flwd serve takes no operands; did you mean flwd serve --bind 127.0.0.1:80?'],
  ['serve a.b:80', 'unexpected word `a.b:80`: flwd serve takes no operands; did you mean flwd serve --bind a.b:80?'],
  ['serve a.yaml', 'unexpected word `a.yaml`: flwd serve takes no operands; did you mean flwd serve --config a.yaml?'],
  [
    'config validate x',
    'unexpected word `x`: flwd config validate takes no operands; did you mean flwd config validate --config x?',
  ],
  [
    "failures it's",
    "unexpected word `it's`: flwd failures takes no operands; did you mean flwd failures --job 'it'\\''s'?",
  ],
  ['logs --run x', 'unknown option --run; write the RUN without it: flwd logs [RUN]'],
  ['backup --dest=x', 'unknown option --dest; write the DEST without it: flwd backup DEST'],
  ['kv get --key x', 'unknown option --key; write the KEY without it: flwd kv get NAMESPACE KEY'],
  ['version now', 'unexpected word `now`: flwd version takes no operands'],
  [
    'serve --dev --bind 0.0.0.0:1',
    '--bind: 0.0.0.0:1 can be reached from other machines, but --dev is only for loopback',
  ],
  ['serve --log loud', '--log: `logging.format` must be one of `text`, `json`, not `loud`'],
])('flwd %s is a usage error: exit code 2 and a helpful line', async (line, message) => {
  const seen = await flwd(createFolder(), ...line.split(' ').filter(Boolean));
  expect(seen).toEqual({ code: 2, stdout: '', stderr: `${message}\n` });
});
