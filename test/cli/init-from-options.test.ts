// `flwd init --from`: no option of a script is lost. Options that do not become arguments are named in config.yaml.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd } from './terminal.ts';

const deploy = `#!/bin/bash
while [[ $# -gt 0 ]]; do
  case "$1" in
    --version) VERSION="$2"; shift 2 ;;
    -h | --host) HOST=$2; shift 2 ;;
    --help) usage ;;
    -V) version; exit ;;
    -D*) define+=("\${1#-D}"); shift ;;
    -*) exit 2 ;;
  esac
done
echo "$VERSION on $HOST"
`;
const getopts = `#!/bin/bash
while getopts "h:v:q?" opt; do
  case $opt in
    h) host=$OPTARG ;;
    v) version=$OPTARG ;;
    q) help ;;
  esac
done
echo "$version on $host"
`;
const python = `import argparse
parser = argparse.ArgumentParser(prog="x")
parser.add_argument("--version")
parser.add_argument("-h2", "--host")
parser.add_argument("-V", "--about", action="version", version="1")
(lambda: parser)().add_argument("--lost")
args = parser.parse_args()
print(args.version, "on", args.host)
`;
const node = `import { parseArgs } from 'node:util';
const { values } = parseArgs({
  options: { version: { type: 'string' }, host: { type: 'string' }, help: { type: 'boolean' }, 'a$b': { type: 'boolean' } },
});
console.log(\`\${values.version} on \${values.host}\`);
`;

test.each([
  [
    'deploy.sh',
    deploy,
    [
      '    # Not sure: line 8: cannot guess what the option -D* takes.',
      '    # Left out, because it only prints help or a version: --help (line 6); -V (line 7).',
    ],
  ],
  ['deploy', getopts, ['    # Left out, because it only prints help or a version: -q (line 6).']],
  [
    'deploy.py',
    python,
    [
      '    # Not sure: line 6: add_argument is called on something that does not seem to be the parser.',
      '    # Left out, because it only prints help or a version: -V, --about (line 5).',
    ],
  ],
  [
    'deploy.mjs',
    node,
    [
      '    # Not sure: line 3: cannot guess what the option "--a$b" takes.',
      '    # Left out, because it only prints help or a version: --help (line 3).',
    ],
  ],
])('%s keeps its options --version VALUE and -h VALUE, and names the others', async (file, text, comments) => {
  const dir = createFolder();
  writeFiles(dir, { [file]: text });
  expect((await flwd(dir, 'init', '--from', file)).code).toBe(0);
  const config = readFileSync(join(dir, 'jobs/deploy/config.yaml'), 'utf8');
  expect(config.split('\n').filter((line) => /^ {4}# (?:Not sure|Left out)/.test(line))).toEqual(comments);
  const ran = await flwd(dir, 'deploy', '--args.version', '1.2', '--host', 'moon', '--quiet');
  expect(ran).toMatchObject({ stdout: '1.2 on moon\n', code: 0 });
});

test('operands do not get the name of a repeated option in the usage of a script', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'pack.sh': `#!/bin/bash
# usage: pack.sh [-r REPO] [--tag TAG]... PATH...
for p in "$@"; do tar -cf "$p.tar" "$p"; done
`,
  });
  await flwd(dir, 'init', '--from', 'pack.sh');
  expect(readFileSync(join(dir, 'jobs/pack/config.yaml'), 'utf8')).toMatch(/^ {4}paths:\n {6}type: array$/m);
});

test('an option that a script appends to an array, for another program, can be given several times', async () => {
  const dir = createFolder();
  const script = `#!/bin/bash
EXCL=()
while getopts "x:n:" opt; do
  case $opt in
    x) EXCL+=("--exclude=$OPTARG") ;;
    n) NAMES+=(--name "$OPTARG") ;;
  esac
done
rsync "\${EXCL[@]}" "\${NAMES[@]}" a b
`;
  writeFiles(dir, { 'mirror.sh': script });
  expect((await flwd(dir, 'init', '--from', 'mirror.sh', 'mirror')).code).toBe(0);
  const config = readFileSync(join(dir, 'mirror/config.yaml'), 'utf8');
  expect(config).toMatch(/exclude:\n +type: array\n +items: \{ type: string \}/);
  expect(config).toMatch(/name:\n +type: array\n +items: \{ type: string \}/);
});

test('the branches `--max=*` and `--max` are one argument', async () => {
  const dir = createFolder();
  const script = `#!/bin/bash
MAX=5
while [ $# -gt 0 ]; do
  case "$1" in
    --max=*) MAX="\${1#*=}" ;;
    --max) MAX="$2"; shift ;;
    --out=*) OUT="\${1#*=}" ;;
  esac
  shift
done
echo "$MAX to $OUT"
`;
  writeFiles(dir, { 'prune.sh': script });
  expect(await flwd(dir, 'init', '--from', 'prune.sh')).toMatchObject({ code: 0 });
  const config = readFileSync(join(dir, 'jobs/prune/config.yaml'), 'utf8');
  expect(config.match(/^ {4}(?:max|out)\w*:/gm)).toEqual(['    max:', '    out:']);
  expect((await flwd(dir, 'prune', '--max', '3', '--out', '/srv/x')).stdout).toBe('3 to /srv/x\n');
});

test('a default is found beside other assignments, and getopts on one line is marked as not sure', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'prune.sh':
      '#!/bin/bash\nDIR=/srv/a MAX=5\nwhile getopts "d:m:" o; do\n  case $o in\n    d) DIR=$OPTARG ;;\n    m) MAX=$OPTARG ;;\n  esac\ndone\necho "$DIR $MAX"\n',
    'line.sh':
      '#!/bin/bash\nparse() { local o; while getopts "e:v" o; do case $o in e) E=$OPTARG ;; v) V=1 ;; esac; done; }\nparse "$@"\n',
  });
  for (const script of ['prune', 'line']) await flwd(dir, 'init', '--from', `${script}.sh`);
  expect((await flwd(dir, 'prune', '-q')).stdout).toBe('/srv/a 5\n');
  expect(readFileSync(join(dir, 'jobs/prune/config.yaml'), 'utf8')).toContain('default: 5');
  expect(readFileSync(join(dir, 'jobs/line/config.yaml'), 'utf8')).toContain(
    '# Not sure: line 2: cannot guess what the options of `getopts e:v` are for',
  );
});
