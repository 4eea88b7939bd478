// `flwd init --from`: what a script uses besides its arguments becomes a permission, a copied file or a comment.

import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd } from './terminal.ts';

const backup = `#!/bin/bash
# Backs up.
set -eu
. "$(dirname "$0")/lib/common.sh"
source ./colours.sh || true
source "$HOME/gone.sh" || true
SRC="$1"
DEST="\${2:-/var/backups}"
LOG=/var/log/backup.log
true || curl -fs https://example.org # rsync
if [[ -n \${REALLY:-} ]]; then
  rsync -a "$SRC/" "$DEST/"
  echo done >> "$LOG"
  date > /srv/last-backup
  ls > /dev/null
fi
log_it "$(cat "$SRC/data.txt")"
`;

async function configOf(dir: string, job: string): Promise<string> {
  return readFileSync(join(dir, 'jobs', job, 'config.yaml'), 'utf8');
}

test('a script that uses paths, the network and files beside it becomes a job with permissions, and runs', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'bin/mirror.sh': backup,
    'bin/lib/common.sh': '. "$(dirname "$0")/colours.sh"\nlog_it() { echo "$colour: $1"; }\n',
    'bin/colours.sh': 'colour=green\n',
    'data/data.txt': 'it',
    'flwd.yaml': `security: {paths: [${dir}/data, ${dir}/out]}\n`,
    'out/x': '',
  });
  chmodSync(dir, 0o755);
  const made = await flwd(dir, 'init', '--from', 'bin/mirror.sh');
  expect(made).toMatchObject({
    stdout:
      'jobs/mirror/config.yaml\njobs/mirror/mirror.sh\njobs/mirror/lib/common.sh\njobs/mirror/colours.sh\n' +
      'jobs/mirror/run.sh\njobs/mirror/tests.yaml\n',
    code: 0,
  });
  const config = await configOf(dir, 'mirror');
  expect(config).toContain('    src:\n      type: string\n      format: path\n');
  expect(config).toContain(
    '#   security: { paths: [/var/backups, /var/log/backup.log, /srv/last-backup] }\n' +
      '# With network access, the job can reach the internet, the local networks and everything that listens on this machine,\n' +
      '# including 127.0.0.1: databases without a password, development servers. The flwd API asks it for a token.\n' +
      'permissions:\n  # network: all   # probably needed: line 10: curl\n' +
      `  read:\n    - { arg: src }   # line 12: rsync\n    # - ${dir}/gone.sh   # line 6: source\n` +
      '  write:\n    - { arg: dest }   # line 12: rsync\n' +
      '    # - /var/log/backup.log   # line 13: >\n    # - /srv/last-backup   # line 14: >\n',
  );
  expect(config).toContain(
    '# Not sure: line 5 includes ./colours.sh from the current folder, which is empty in a job: use $FLWD_JOB_DIR/colours.sh.',
  );
  expect(config).toContain(
    `# To do: line 6: ${dir}/gone.sh does not exist on this host: create it if the script needs it.`,
  );
  const seen = await flwd(dir, 'mirror', '--src', `${dir}/data`, '--dest', `${dir}/out`);
  expect(seen).toMatchObject({ stdout: 'green: it\n', code: 0 });
  expect((await flwd(dir, 'mirror', '--src', dir, '--dest', `${dir}/out`)).stderr).toContain(
    `: add security: {paths: [${dir}]} to flwd.yaml`,
  );
  expect(await flwd(dir, 'test')).toMatchObject({
    stderr: 'the tests.yaml contains no test yet\n',
    code: 3,
  });
});

const hosts = `#!/bin/bash
HERE="$(cd "$(dirname "\${BASH_SOURCE[0]}")" && pwd)"
cat "$HERE/hosts.txt"
cat words.txt || true
date > "$HERE/last" || true
`;

test('files that a script reads beside itself are copied, and a file that it would no longer find is named', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'bin/hosts.sh': hosts,
    'bin/into.sh': '#!/bin/sh\ncd "$(dirname "$0")"\n. ./lib.sh\ncat words.txt\n',
    'bin/lib.sh': 'lib=1\n',
    'bin/hosts.py':
      '#!/usr/bin/env python3\nfrom pathlib import Path\nHERE = Path(__file__).resolve().parent\n' +
      'print((HERE / "hosts.txt").read_text(), end="")\n',
    'bin/hosts.txt': 'web1\n',
    'bin/words.txt': 'words\n',
  });
  chmodSync(dir, 0o755);
  const made = await flwd(dir, 'init', '--from', 'bin');
  for (const line of [
    'to do: line 5 writes last beside the script, and a job cannot change its own folder: let the script write elsewhere\n',
    'to do: line 4 reads words.txt from the folder where it starts, and a job starts in an empty folder: write "$(dirname "$0")/words.txt", and start over\n',
    'hosts.txt: not executable, and has no #! line; copied into the jobs that read it\n',
    'lib.sh: not executable, and has no #! line; copied into the jobs that read it\n',
  ])
    expect(made.stderr).toContain(line);
  expect(made.stdout).toBe('jobs/hosts\njobs/hosts-sh\njobs/into\n');
  expect((await flwd(dir, 'hosts', '--quiet')).stdout).toBe('web1\n');
  expect((await flwd(dir, 'hosts-sh', '--quiet')).stdout).toBe('web1\n');
  expect((await flwd(dir, 'into', '--quiet')).stdout).toBe('words\n');
});

test('files that a script writes after it has changed to its own folder, and Windows line endings, are named', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'count.sh':
      '#!/bin/bash\ncd "$(dirname "$0")" || exit 1\necho x >> history.log\nwc -l history.log | tee last.txt\n',
    'greet.sh': '#!/bin/bash\r\n# Greets.\r\necho hi\r\n',
  });
  const count = await flwd(dir, 'init', '--from', 'count.sh');
  expect(count.stderr).toContain('line 3 writes history.log beside the script, and a job cannot change its own folder');
  expect(count.stderr).toContain('line 4 writes last.txt beside the script');
  expect(count.stderr).not.toContain('Windows');
  const greet = await flwd(dir, 'init', '--from', 'greet.sh');
  expect(greet.stderr).toContain('the script has Windows line endings: save it with Unix line endings');
  expect(await configOf(dir, 'greet')).toContain('\ndescription: "Greets."\n');
});

test('text that only looks like a use of a file or the network does not become a permission', async () => {
  const dir = createFolder();
  const script = `#!/bin/bash
# curl /srv/comment
mode=$1
target=
case "$mode" in
  curl | ssh) target=/ ;;
esac
[ -f ~/.maybe ] && . ~/.maybe
usage="see /etc/hosts or call curl"
echo "/srv/said, or curl"; grep '/srv/pattern' "$0" | sed 's,/srv/a,/srv/b,' || true
cat <<END
rsync me@example.org:/srv/text /srv/text
END
chmod "$mode" "$target/x" 2>/dev/null >&2 || true
cat /etc/hosts /usr/share/dict/words < /dev/null > /tmp/out
cd / && ls
`;
  writeFiles(dir, { 'looks.sh': script });
  const made = await flwd(dir, 'init', '--from', 'looks.sh', '--allow');
  expect(made.stderr).toBe(
    'next:\n  flwd looks --mode VALUE\n  flwd looks --help\nguessed 1 argument: check jobs/looks/config.yaml\n',
  );
  expect(await configOf(dir, 'looks')).toContain('# permissions:\n#   network: all\n');
});

test('flwd init --from sees every module of a Python import, not only the first', async () => {
  const dir = createFolder();
  const script = `#!/usr/bin/env python3
import sys, os.path as files, words as said, requests
print(said.greeting)
`;
  writeFiles(dir, {
    'get.py': script,
    'words.py': 'greeting = "hello"\n',
    'ask.py': 'import sys, click\nif sys: import os, socketserver\n',
  });
  expect(await flwd(dir, 'init', '--from', 'get.py')).toMatchObject({ code: 0 });
  expect(await configOf(dir, 'get')).toContain('#   network: all   # probably needed: line 2: requests\n');
  expect(existsSync(join(dir, 'jobs/get/words.py'))).toBe(true);
  expect(await flwd(dir, 'init', '--from', 'ask.py')).toMatchObject({ code: 0 });
  const ask = await configOf(dir, 'ask');
  expect(ask).toContain('it reads its arguments with click, which flwd cannot guess');
  expect(ask).not.toContain('probably needed');
});

test('a path that may mean the workspace becomes a permission that is commented out', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'pack.sh': '#!/bin/bash\noutput=$1\nlog_dir=${2:-logs}\nsource_dir=${3:-./x}\necho "$output"\n' });
  await flwd(dir, 'init', '--from', 'pack.sh');
  expect(await configOf(dir, 'pack')).toContain(
    '# permissions:\n#   network: all\n#   read:\n' +
      '#     - { arg: output }   # line 2; under write if the script writes there\n' +
      '#     - { arg: log_dir }   # line 3; under write if the script writes there\n' +
      '#     - { arg: source_dir }   # line 4; under write if the script writes there\n',
  );
});

test.each([
  ['for f in "$@"; do echo "$f"; done', 'files'],
  ['for f in $*\ndo\n  echo $f\ndone', 'files'],
  ['for f in "$@"; do\n  case "$f" in\n    *.gz) echo "$f" ;;\n    *) echo "$f" ;;\n  esac\ndone', 'files'],
  ['while [ $# -gt 0 ]; do\n  one="$1"\n  echo "$one"\n  shift\ndone', 'ones'],
])('a loop over all words of the command line becomes a list argument: %j', async (loop, name) => {
  const dir = createFolder();
  writeFiles(dir, { 'each.sh': `#!/bin/bash\n${loop}\n` });
  await flwd(dir, 'init', '--from', 'each.sh');
  expect((await flwd(dir, 'each', `--${name}`, 'a', `--${name}`, 'b', '--quiet')).stdout).toBe('a\nb\n');
});

test('any other use of all words of the command line is marked as not sure', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'say.sh': '#!/bin/bash\necho "all: $@"\n' });
  await flwd(dir, 'init', '--from', 'say.sh');
  expect(await configOf(dir, 'say')).toContain('# Not sure: line 2 uses all words of the command line');
});

test('modules beside a Python script are copied', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'bin/report.py': 'import sys\nfrom shared.words import hello\nprint(hello)\n',
    'bin/shared/words.py': "hello = 'hello'\n",
  });
  const { stdout } = await flwd(dir, 'init', '--from', 'bin/report.py');
  expect(stdout).toContain('jobs/report/shared/words.py\n');
  expect((await flwd(dir, 'report', '--quiet')).stdout).toBe('hello\n');
});

test('flwd init --from names programs and scripts that the host does not have, and asks for no permission', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'mirror.sh': '#!/bin/sh\nno-such-sync -a /etc/hosts backup:\nsh /srv/no-such-folder/after.sh\n' });
  const secure = await flwd(dir, 'init', '--from', 'mirror.sh', 'jobs/secure');
  expect(secure.stderr).toContain('  line 2: `no-such-sync` is not installed here\n');
  expect(secure.stderr).toContain('  line 3: /srv/no-such-folder/after.sh does not exist\n');
  expect(secure.stderr).not.toContain('read /srv');
});

test('a script that takes a lock does its work in a job, too', async () => {
  const dir = createFolder();
  const guard = '{ echo "already running"; exit 0; }';
  writeFiles(dir, {
    'opened.sh': `#!/bin/bash\nexec 9>/var/lock/x.lock\nflock -n 9 || ${guard}\necho working\n`,
    'waiting.sh': `#!/bin/sh\nflock -w 5 /run/lock/x.lock -c 'echo working'\n`,
    'made.sh': `#!/bin/sh\nmkdir /run/lock/x.d 2> /dev/null || ${guard}\ntrap 'rmdir /run/lock/x.d' EXIT\necho working\n`,
  });
  for (const [script, concurrency] of [
    ['opened', '\nconcurrency: { limit: 1, on_conflict: reject }\n'],
    ['waiting', '\nconcurrency: { limit: 1, on_conflict: queue }\n'],
    ['made', 'To do: line 2: each run has its own /run/lock, so /run/lock/x.d does not keep two runs apart'],
  ] as const) {
    await flwd(dir, 'init', '--from', `${script}.sh`);
    expect(await configOf(dir, script)).toContain(concurrency);
    expect(await flwd(dir, 'run', script, '--quiet')).toMatchObject({ code: 0, stdout: 'working\n' });
  }
});
