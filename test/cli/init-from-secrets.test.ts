// `flwd init --from`: a script's passwords become secrets of the job, and reach the script unchanged.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd } from './terminal.ts';

const secret = { type: 'string', format: 'secret' };
const value = 'open sesame $HOME 42';

async function propertiesOf(dir: string, job: string): Promise<Readonly<Record<string, unknown>>> {
  const { stdout } = await flwd(dir, 'jobs', job, '--json');
  const { args }: { args: { properties: Readonly<Record<string, unknown>> } } = JSON.parse(stdout);
  return args.properties;
}

/** Runs the job with a secret read from a file, and checks that the secret appears in nothing that flwd shows. */
async function runWithSecrets(dir: string, job: string, names: readonly string[]): Promise<string> {
  writeFileSync(join(dir, 'value'), value);
  const ran = await flwd(dir, job, ...names.flatMap((name) => [`--${name}.file`, 'value']));
  expect(ran).toMatchObject({ code: 0 });
  const shown = await flwd(dir, 'runs', job, '--json');
  expect(shown.stdout).toContain('"[redacted]"');
  expect(`${ran.stdout}${ran.stderr}${shown.stdout}`).not.toContain(value);
  expect(await flwd(dir, 'runs', '--search', value)).toMatchObject({ stdout: '', code: 0 });
  return ran.stdout;
}

test('a bash script receives its secrets in variables, options, words and on standard input', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'ship.sh': `#!/bin/bash
# Ships. As in: DB_PASS=hunter1 ship.sh
set -eu
: "\${PGPASSWORD:?}" "\${REGION:=eu}"
DB_PASS=\${DB_PASS:-hunter2}
QUEUE=\${QUEUE:-amqp://app:hunter3@mq/}
pw=hunter4
while getopts "p:" opt; do
  case $opt in
    p) pw=$OPTARG ;;
  esac
done
shift $((OPTIND - 1))
api_token=$1
read -rsp 'Passphrase: ' PHRASE
same() { [[ $2 == 'open sesame $HOME 42' ]] && echo "$1 is right"; }
same pgpassword "$PGPASSWORD"
same pw "$pw"
same api_token "$api_token"
same phrase "$PHRASE"
[[ $DB_PASS == hunter2 && $QUEUE == amqp://app:hunter3@mq/ ]] && echo "$REGION and its own values"
`,
  });
  const made = await flwd(dir, 'init', '--from', 'ship.sh');
  expect(made.stderr).toContain('next:\n  flwd ship --pgpassword.file FILE --phrase.file FILE --api_token.file FILE\n');
  expect(await propertiesOf(dir, 'ship')).toEqual({
    pgpassword: secret,
    region: { type: 'string', default: 'eu' },
    db_pass: secret,
    queue: secret,
    pw: secret,
    phrase: secret,
    api_token: secret,
  });
  expect(readFileSync(join(dir, 'jobs/ship/config.yaml'), 'utf8')).not.toContain('hunter');
  expect(await runWithSecrets(dir, 'ship', ['pgpassword', 'pw', 'phrase', 'api_token'])).toBe(
    'pgpassword is right\npw is right\napi_token is right\nphrase is right\neu and its own values\n',
  );
});

test('a Python script receives its secrets in options and variables', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'ship.py': `import argparse, os
parser = argparse.ArgumentParser()
parser.add_argument("--db-pass", default="hunter2", help="as in --db-pass=hunter5")
parser.add_argument("--pin", type=int, default=1234)
parser.add_argument("--auth", choices=["basic", "digest"], default="basic")
parser.add_argument("--password", action="append")
args = parser.parse_args()
url = os.environ.get("DATABASE_URL", "postgres://app:hunter3@db/shop")
same = lambda name, text: print(name, text == "open sesame $HOME 42")
same("db_pass", args.db_pass)
same("url", url)
print(args.pin, args.auth, args.password)
`,
  });
  await flwd(dir, 'init', '--from', 'ship.py');
  expect(await propertiesOf(dir, 'ship')).toEqual({
    database_url: secret,
    db_pass: { ...secret, description: 'as in --db-pass=…' },
    pin: secret,
    auth: { type: 'string', enum: ['basic', 'digest'], default: 'basic' },
  });
  const config = readFileSync(join(dir, 'jobs/ship/config.yaml'), 'utf8');
  expect(config).not.toMatch(/hunter|1234/);
  expect(config).toContain('# Not sure: line 6: --password seems to be a list of secrets');
  expect(await runWithSecrets(dir, 'ship', ['db_pass', 'database_url'])).toBe(
    'db_pass True\nurl True\n1234 basic None\n',
  );
});

test('a Node script receives its secrets in options and variables', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'ship.mjs': `import { parseArgs } from 'node:util';
const { values } = parseArgs({ options: { password: { type: 'string', default: 'hunter2' }, note: { type: 'string' } } });
const { SSHPASS = 'hunter3' } = process.env;
const isSame = (text) => text === 'open sesame $HOME 42';
console.log(isSame(values.password), isSame(SSHPASS), process.env.AWS_SECRET_ACCESS_KEY ?? 'nothing', values.note);
`,
  });
  await flwd(dir, 'init', '--from', 'ship.mjs');
  expect(await propertiesOf(dir, 'ship')).toEqual({
    sshpass: secret,
    aws_secret_access_key: secret,
    password: secret,
    note: { type: 'string' },
  });
  expect(readFileSync(join(dir, 'jobs/ship/config.yaml'), 'utf8')).not.toContain('hunter');
  expect(await runWithSecrets(dir, 'ship', ['sshpass', 'password'])).toBe('true true nothing undefined\n');
});

test.each([
  ['sh', 'echo "${DOOR:?}" | tr a-z A-Z\n'],
  ['py', 'import os\nprint(os.environ["DOOR"].upper())\n'],
  ['mjs', 'console.log(process.env.DOOR.toUpperCase());\n'],
])('an argument of a %s script still reaches it after only config.yaml makes it a secret', async (ending, text) => {
  const dir = createFolder();
  writeFiles(dir, { [`walk.${ending}`]: text, value: 'ajar' });
  await flwd(dir, 'init', '--from', `walk.${ending}`);
  const file = join(dir, 'jobs/walk/config.yaml');
  const config = readFileSync(file, 'utf8');
  writeFileSync(file, config.replace('    door:\n', '    door:\n      format: secret\n'));
  expect(await flwd(dir, 'walk', '--door.file', 'value')).toMatchObject({ stdout: 'AJAR\n', code: 0 });
  writeFileSync(file, config);
  expect(await flwd(dir, 'walk', '--door', 'ajar')).toMatchObject({ stdout: 'AJAR\n', code: 0 });
});
