// `flwd init --from`: an existing script becomes a job and receives what it expects.

import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd, flwdReading, type Seen } from './terminal.ts';

type Schema = { readonly required?: readonly string[]; readonly properties: Readonly<Record<string, unknown>> };

async function argspecOf(dir: string, job: string): Promise<Schema> {
  const { stdout } = await flwd(dir, 'jobs', job, '--json');
  const { args }: { args: Schema } = JSON.parse(stdout);
  return args;
}

function runWith(dir: string, job: string, args: Readonly<Record<string, unknown>>): Promise<Seen> {
  return flwdReading(dir, JSON.stringify(args), 'run', job, '--args', '-', '--quiet');
}

const options = `#!/usr/bin/env bash
# Packs a directory and sends it away.
#
# Usage: pack.sh [options] SOURCE [TARGET]
set -e
: "\${REGION:?the region to send to}"
LEVEL=\${LEVEL:-6}
API_TOKEN="\${API_TOKEN:-}"
keep=7
dry_run=false
label=
usage() {
  cat <<END
Usage: pack.sh [options] SOURCE [TARGET]
  --keep N   \${NOT_ONE:-x} $3
END
  exit 2
}
while [[ $# -gt 0 ]]; do
  case "$1" in
    -k | --keep) keep="$2"; shift 2 ;;
    --label=*) label="\${1#*=}"; shift ;;
    --dry-run)
      dry_run=true
      shift
      ;;
    -h | --help) usage ;;
    -*) echo "unknown $1" >&2; exit 2 ;;
    *) break ;;
  esac
done
source_dir=$1
target="\${2:-backup target}"
unset maybe; [[ -z $maybe ]]; false | true
echo "keep=$keep label=$label dry=$dry_run source=$source_dir target=$target region=$REGION level=$LEVEL token=\${#API_TOKEN} n=$#"
`;

test('a bash script with options, words and variables runs as before, with its file mode', async () => {
  const dir = createFolder();
  const inSources = { 'jobs/a b/x': '', 'jobs/$x/x': '' };
  writeFiles(dir, { 'bin/pack.sh': options, 'flwd.yaml': `security: {paths: [${dir}/jobs]}\n`, ...inSources });
  chmodSync(join(dir, 'bin/pack.sh'), 0o750);
  const made = await flwd(dir, 'init', '--from', 'bin/pack.sh');
  expect(made).toEqual({
    stdout: 'jobs/pack/config.yaml\njobs/pack/pack.sh\njobs/pack/run.sh\njobs/pack/tests.yaml\n',
    stderr:
      'next:\n  flwd pack --region VALUE --source_dir VALUE\n  flwd pack --help\n' +
      'guessed 8 arguments: check jobs/pack/config.yaml\n',
    code: 0,
  });
  expect(readFileSync(join(dir, 'jobs/pack/pack.sh'), 'utf8')).toBe(options);
  expect(statSync(join(dir, 'jobs/pack/pack.sh')).mode & 0o777).toBe(0o750);
  expect(readFileSync(join(dir, 'jobs/pack/config.yaml'), 'utf8')).toContain(
    '    # Guessed from line 21, passed as --keep: check it.\n    keep:\n',
  );
  expect(await argspecOf(dir, 'pack')).toEqual({
    type: 'object',
    required: ['region', 'source_dir'],
    properties: {
      region: { type: 'string', description: 'the region to send to' },
      level: { type: 'integer', default: 6 },
      api_token: { type: 'string', format: 'secret' },
      keep: { type: 'integer', default: 7 },
      label: { type: 'string' },
      dry_run: { type: 'boolean', default: false },
      source_dir: { type: 'string', format: 'path' },
      target: { type: 'string', default: 'backup target' },
    },
  });
  expect((await runWith(dir, 'pack', { region: 'eu', source_dir: `${dir}/jobs/a b` })).stdout).toBe(
    `keep=7 label= dry=false source=${dir}/jobs/a b target=backup target region=eu level=6 token=0 n=2\n`,
  );
  const all = { region: 'us', source_dir: '$x', target: "it's", label: '$y m', keep: 9, dry_run: true, level: 1 };
  expect((await runWith(dir, 'pack', { ...all, api_token: 'sesame' })).stdout).toBe(
    `keep=9 label=$y m dry=true source=${dir}/jobs/$x target=it's region=us level=1 token=6 n=2\n`,
  );
});

test('a bash script with getopts and files runs as before, and uncertain guesses become comments', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    compress: `#!/bin/bash
level=3
while getopts ":l:o:vh" opt; do
  case $opt in
    l) level="$OPTARG" ;;
    o) output=$OPTARG ;;
    v) verbose=1 ;;
    h) usage ;;
    *) exit 1 ;;
  esac
done
shift $((OPTIND - 1))
if [ -z "$output" ]; then
  echo "no output" >&2
  exit 2
fi
for file in "$@"; do
  echo "file=$file"
done
echo "level=$level output=$output verbose=\${verbose:-0} $DEPLOY_ENV"
`,
  });
  await flwd(dir, 'init', '--from', 'compress', 'jobs/ops/pack');
  expect(await argspecOf(dir, 'ops/pack')).toMatchObject({
    required: ['output'],
    properties: {
      level: { type: 'integer', default: 3 },
      output: { type: 'string' },
      verbose: { type: 'boolean' },
      files: { type: 'array' },
    },
  });
  expect(readFileSync(join(dir, 'jobs/ops/pack/config.yaml'), 'utf8')).toContain(
    '# Not sure: line 20 uses $DEPLOY_ENV, which the script does not set before.',
  );
  const seen = await runWith(dir, 'ops/pack', { output: 'o', verbose: true, files: ['a b', '-c'] });
  expect(seen.stdout).toBe('file=a b\nfile=-c\nlevel=3 output=o verbose=1 \n');
});

test('a bash script that asks several questions gets each answer', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'deploy.sh': `#!/bin/bash
read -p "Version: " version
read -rp "Host: " host
read -p "Deploy? " -n 1 -r answer
echo "$version on $host: $answer"
`,
  });
  await flwd(dir, 'init', '--from', 'deploy.sh');
  expect(await flwd(dir, 'deploy', '--version', '1.2', '--host', 'web1', '--answer', 'y')).toMatchObject({
    stdout: '1.2 on web1: y\n',
    code: 0,
  });
});

test('a shell script whose first word selects an action runs as before', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'service.sh': `#!/bin/sh
# Starts and stops.
if [ $# -lt 1 ]; then exit 2; fi
case "$1" in
  start) echo "starting $2" ;;
  stop | halt) echo "stopping, $#" ;;
  *) exit 3 ;;
esac
`,
  });
  await flwd(dir, 'init', '--from', 'service.sh');
  expect(await argspecOf(dir, 'service')).toMatchObject({
    required: ['action'],
    properties: { action: { enum: ['start', 'stop', 'halt'] }, argument_2: { type: 'string' } },
  });
  expect((await runWith(dir, 'service', { action: 'stop' })).stdout).toBe('stopping, 1\n');
  expect((await runWith(dir, 'service', { action: 'start', argument_2: 'it' })).stdout).toBe('starting it\n');
});

test('a Python script with argparse runs as before', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'flwd.yaml': `security: {paths: [${dir}/jobs]}\n`,
    'jobs/-x y/x': '',
    'jobs/s/x': '',
    'report.py': `"""Writes a report: "now".

More of it.
"""
import argparse, os, json
from pathlib import Path

parser = argparse.ArgumentParser(description="x")
parser.add_argument("source", type=Path, help="where it (all) is, with a comma")
parser.add_argument("extra", nargs="*")
parser.add_argument("-n", "--rows", type=int, default=10,
                    help="rows shown "
                         "at most (default: %(default)s)")
parser.add_argument("--ratio", type=float, default=0.5)
parser.add_argument("--format", choices=["md", "html"], default="md")
parser.add_argument("--title", required=True, help="50%% of it")
parser.add_argument("--note")
parser.add_argument("--dry-run", action="store_true")
parser.add_argument("--no-color", dest="color", action="store_false")
parser.add_argument("--tag", action="append", default=[])
parser.add_argument("--ids", nargs="+", type=int)
parser.add_argument("--cache", action=argparse.BooleanOptionalAction, default=True)
parser.add_argument("-v", action="count", default=0)
# parser.add_argument("--old")
group = parser.add_mutually_exclusive_group()
group.add_argument("--port", type=int, choices=range(1, 10))
args = parser.parse_args()
print(json.dumps({**vars(args), "source": str(args.source), "region": os.environ["REGION"],
                  "mode": os.environ.get("MODE", "fast"), "key": len(os.getenv("API_KEY") or "")}))
`,
  });
  expect((await flwd(dir, 'init', '--from', 'report.py')).code).toBe(0);
  const { required, properties } = await argspecOf(dir, 'report');
  expect(required).toEqual(['region', 'source', 'title']);
  expect(properties).toMatchObject({
    rows: { type: 'integer', default: 10, description: 'rows shown at most' },
    ratio: { type: 'number', default: 0.5 },
    format: { enum: ['md', 'html'], default: 'md' },
    title: { description: '50% of it' },
    port: { minimum: 1, maximum: 9 },
    api_key: { format: 'secret' },
    source: { format: 'path' },
    mode: { default: 'fast' },
    color: { type: 'boolean', default: true },
  });
  expect(properties).not.toHaveProperty('old');
  expect(readFileSync(join(dir, 'jobs/report/config.yaml'), 'utf8')).toContain(
    '# Not sure: line 23: -v has the action',
  );
  const args = {
    source: '-x y',
    extra: ['--z'],
    title: 'T',
    region: 'eu',
    note: '-n',
    tag: ['a b', '-c'],
    ids: [1, 2],
  };
  const more = { cache: false, color: false, dry_run: true, ratio: 0.25, port: 3, api_key: 'sesame' };
  expect(JSON.parse((await runWith(dir, 'report', { ...args, ...more })).stdout)).toEqual({
    ...args,
    source: `${dir}/jobs/-x y`,
    rows: 10,
    ratio: 0.25,
    format: 'md',
    dry_run: true,
    color: false,
    cache: false,
    v: 0,
    port: 3,
    mode: 'fast',
    key: 6,
  });
  const least = await runWith(dir, 'report', { source: 's', title: 't', region: 'r' });
  expect(JSON.parse(least.stdout)).toMatchObject({
    note: null,
    tag: [],
    ids: null,
    cache: true,
    color: true,
    port: null,
  });
});

test('a Python script that reads sys.argv runs as before', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'count.py': `# Counts words.
import sys
path = sys.argv[1]
limit = int(sys.argv[2]) if len(sys.argv) > 2 else 3
print(sys.argv[1:])
`,
  });
  await flwd(dir, 'init', '--from', 'count.py');
  expect(await argspecOf(dir, 'count')).toMatchObject({
    required: ['path'],
    properties: { path: { type: 'string', format: 'path' }, limit: { type: 'integer' } },
  });
  expect((await runWith(dir, 'count', { path: 'a b', limit: 4 })).stdout).toBe("['a b', '4']\n");
  expect((await runWith(dir, 'count', { path: 'a b' })).stdout).toBe("['a b']\n");
});

test('a Node script with parseArgs runs as before, with the same exit code', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'ship.mjs': `// Ships things.
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: {
    target: { type: 'string', short: 't', default: 'it\\'s staging' },
    'dry-run': { type: 'boolean' },
    tag: { type: 'string', multiple: true },
    password: { type: 'string' },
    help: { type: 'boolean' },
  },
  allowPositionals: true,
});
const { REGION, RETRIES = '3' } = process.env;
const password = values.password?.length ?? 0;
console.log(JSON.stringify({ ...values, password, positionals, REGION, RETRIES, log: process.env.LOG_LEVEL ?? 'info' }));
process.exitCode = 3;
`,
  });
  await flwd(dir, 'init', '--from', 'ship.mjs');
  const args = { target: '-p', tag: ['a b', '-c'], password: 'sesame', positionals: ['-q', 'r s'], region: 'eu' };
  const seen = await runWith(dir, 'ship', { ...args, dry_run: true });
  expect(JSON.parse(seen.stdout)).toEqual({
    target: '-p',
    'dry-run': true,
    tag: ['a b', '-c'],
    password: 6,
    positionals: ['-q', 'r s'],
    REGION: 'eu',
    RETRIES: '3',
    log: 'info',
  });
  expect(seen.stderr).toContain('exited with code 3');
  expect((await argspecOf(dir, 'ship')).properties).toMatchObject({ target: { default: "it's staging" } });
});

test('a Node script that reads process.argv runs as before', async () => {
  const dir = createFolder();
  const text =
    'const [, , first, second] = process.argv;\nconsole.log(process.argv.slice(2), require.main === module);\n';
  writeFiles(dir, { 'old.js': text });
  await flwd(dir, 'init', '--from', 'old.js', '--name', 'Old ways');
  expect((await runWith(dir, 'old', { first: 1, second: 'b c' })).code).toBe(2);
  expect((await runWith(dir, 'old', { first: '1', second: 'b c' })).stdout).toBe("[ '1', 'b c' ] true\n");
});

test('--from overwrites nothing, and says why a file cannot become a job', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'jobs/a/run.sh': 'mine\n', 'a.sh': 'echo a\n', 'notes.txt': 'hello\n' });
  const from = (...words: string[]) => flwd(dir, 'init', '--from', ...words);
  expect(await from('a.sh', 'jobs/a')).toMatchObject({
    stderr: 'jobs/a/run.sh already exists: nothing was written\n',
    code: 2,
  });
  expect(await from('notes.txt')).toMatchObject({
    stderr:
      'notes.txt: cannot tell its language: give it a known extension, or add a #! line and make it executable with chmod +x\n',
    code: 2,
  });
  writeFiles(dir, { 'a$(id).sh': 'echo a\n', 'x.py': 'p = ArgumentParser()\np.add_argument("--a$(id)")\n' });
  expect(await from('a$(id).sh')).toMatchObject({
    stderr:
      'the file name a$(id).sh does not work in a job: rename the script, with A to Z, a to z, 0 to 9 and _ . + @ - only\n',
    code: 2,
  });
  expect(await from('x.py', 'elsewhere/x')).toMatchObject({
    stdout: 'elsewhere/x/config.yaml\nelsewhere/x/x.py\nelsewhere/x/tests.yaml\n',
    code: 0,
  });
  expect(await from('nothing.sh')).toMatchObject({ stderr: 'there is no file nothing.sh\n', code: 2 });
  writeFileSync(join(dir, 'program'), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0xff, 0xfe]));
  expect(await from('program')).toMatchObject({ stderr: 'program is not a script: it is not UTF-8 text\n', code: 2 });
  expect(await from('a.sh', '--language', 'bash')).toMatchObject({ code: 2 });
  expect(readdirSync(join(dir, 'jobs'))).toEqual(['a']);
  expect(readdirSync(join(dir, 'jobs/a'))).toEqual(['run.sh']);
});
