// The hint of a failed run, from what its script printed last.

import { describe, expect, test } from 'vitest';
import { noResources } from '../../src/domain/resources.ts';
import { exitMessage, readErrorLines } from '../../src/engine/run/failure/error-lines.ts';
import type { FailedAttempt } from '../../src/engine/run/failure/failed-attempt.ts';
import { failureHint } from '../../src/engine/run/failure/failure-hint.ts';
import { hintForSuccess } from '../../src/engine/run/failure/program-hints.ts';

type Given = {
  readonly lines?: readonly string[];
  readonly reason?: FailedAttempt['reason'];
  readonly message?: string;
  readonly exitCode?: number;
  readonly command?: readonly string[];
  readonly args?: FailedAttempt['args'];
  readonly firstLineOf?: FailedAttempt['firstLineOf'];
  readonly plan?: Partial<FailedAttempt['plan']>;
  readonly isolation?: Partial<FailedAttempt['isolation']>;
  readonly lackOfRoom?: string;
};

const isolation = {
  pid_namespace: true,
  network: 'none',
  filesystem: 'workspace',
  environment: 'clean',
  no_new_privileges: true,
  uid: 65_534,
  capabilities: 'none',
} as const;

const job = {
  argspec: { type: 'object', properties: { pgpassword: { format: 'secret' }, target: {} } },
  secretArgs: ['pgpassword'],
  composition: 'single',
  onLost: 'fail',
} as const;

function hintOf({ lines = [], ...given }: Given): string | undefined {
  return failureHint({
    reason: 'exit',
    message: 'exited with code 1',
    exitCode: 1,
    command: ['./run.sh'],
    args: {},
    lackOfRoom: null,
    isBesideConfig: (path) => path === 'data.csv',
    firstLineOf: () => '',
    ...given,
    lines: readErrorLines(lines),
    plan: { profile: 'secure', read: [], write: [], job, ...given.plan },
    isolation: { ...isolation, ...given.isolation },
  });
}

const trap = (command: string, status = 1): string => `run.sh:3: failed with status ${status}: ${command}`;

test.each([
  ['bash', 'run.sh', 'bash: run.sh: No such file or directory', 127],
  ['sh', 'run.sh', 'sh: 0: cannot open run.sh: No such file', 2],
  ['python3', 'run.py', "python3: can't open file '/workspace/run.py': [Errno 2] No such file or directory", 2],
  ['node', 'run.js', "Error: Cannot find module '/workspace/run.js'", 1],
  ['perl', 'run.pl', `Can't open perl script "run.pl": No such file or directory`, 2],
  ['cat', 'data.csv', 'cat: data.csv: No such file or directory', 1],
])(
  'when %s gets a file of the job without ./, the hint says that it must begin with ./',
  (program, file, line, exitCode) => {
    const hint = hintOf({ command: [program, file], lines: [line], exitCode });
    expect(hint).toBe(`under \`command\`, a file that lies beside config.yaml begins with ./: write ./${file}`);
  },
);

describe('the hint about the missing network', () => {
  const network = 'the sandbox gives the job no network: allow it with `permissions: {network: all}`';

  test.each([
    'curl: (6) Could not resolve host: example.org',
    'ssh: Could not resolve hostname backup: Temporary failure in name resolution',
    'wget: unable to resolve host address ‘example.org’',
    'socket.gaierror: [Errno -2] Name or service not known',
    'OSError: [Errno 101] Network is unreachable',
    'Error: getaddrinfo EAI_AGAIN example.org',
    'pg_dump: error: could not translate host name "db" to address: Temporary failure in name resolution',
  ])('is given for `%s`', (line) => {
    expect(hintOf({ lines: ['begun', line, trap('whatever')] })).toBe(network);
    expect(hintOf({ lines: [line], isolation: { network: 'all' } })).toBeUndefined();
  });

  test('is given when curl was silent; with network, the hint says what the exit code of curl means', () => {
    expect(hintOf({ lines: [trap('curl -s https://example.org', 6)], exitCode: 6 })).toBe(network);
    expect(hintOf({ command: ['/usr/bin/curl', '-s', 'https://example.org'], exitCode: 7 })).toBe(network);
    const open = { lines: [trap('curl -fs https://example.org', 22)], isolation: { network: 'all' } } as const;
    expect(hintOf({ ...open, exitCode: 22 })).toBe(
      'the server answered curl with an HTTP error (400 or above) (exit code 22)',
    );
    expect(hintOf({ lines: [trap('a pipeline that ends with jq .', 6)], exitCode: 6 })).toBeUndefined();
  });

  test('says that the job cannot reach the host’s loopback', () => {
    const lines = [
      'psql: error: connection to server at "127.0.0.1", port 5432 failed: Connection refused',
      '\tIs the server running on that host and accepting TCP/IP connections?',
    ];
    expect(hintOf({ lines })).toMatch(/^the sandbox has its own 127\.0\.0\.1, .*network: all/);
    expect(hintOf({ lines, isolation: { network: 'all' } })).toBeUndefined();
  });

  test.each([
    [
      'psql: error: connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: No such file or directory',
      '/run/postgresql',
    ],
    [
      "mysqldump: Got error: 2002: Can't connect to local MySQL server through socket '/run/mysqld/mysqld.sock' (2)",
      '/run/mysqld',
    ],
  ])('says that the job cannot reach the socket of its database: %s', (line, folder) => {
    expect(hintOf({ lines: [line] })).toContain(`\`permissions: {read: [${folder}]}\``);
    expect(hintOf({ lines: [line], isolation: { filesystem: 'host' } })).toBeUndefined();
  });
});

describe('a hint is given for a file', () => {
  test.each([
    ["FileNotFoundError: [Errno 2] No such file or directory: '/srv/data/access.log'", '/srv/data/access.log'],
    ['tar: /srv/x: Cannot open: No such file or directory', '/srv/x'],
    ["Error: ENOENT: no such file or directory, open '/srv/x'", '/srv/x'],
    ['cat: /home/me/.pgpass: No such file or directory', '/home/me/.pgpass'],
    ["cat: '/srv/a b': No such file or directory", '"/srv/a b"'],
  ])('that the sandbox does not show: %s', (line, path) => {
    expect(hintOf({ lines: [line] })).toContain(`\`permissions: {read: [${path}]}\` (\`write\``);
    expect(hintOf({ lines: [line], plan: { read: ['/srv', '/home'] } })).toBeUndefined();
    expect(hintOf({ lines: [line], isolation: { filesystem: 'host-read-only' } })).toBeUndefined();
  });

  test.each([
    'no such source: /srv/www',
    'error: the folder /srv/www does not exist',
    'rsync: [sender] change_dir "/srv/www" failed: No such file or directory (2)',
    'cat: /srv/www/index.html: No such file or directory',
  ])('that an argument names: %s', (line) => {
    const args = { keep: 3, src: '/srv/www' };
    expect(hintOf({ lines: [line], args })).toContain('`permissions: {read: [{arg: src}]}` (`write`');
    expect(hintOf({ lines: [line], args, plan: { read: ['/srv/www'] } })).toBeUndefined();
  });

  test('that an argument names, only if the argument is a full path and the line says that it is missing', () => {
    expect(hintOf({ lines: ['cannot upload /srv/www: quota exceeded'], args: { src: '/srv/www' } })).toBeUndefined();
    expect(hintOf({ lines: ['no such user: www'], args: { src: 'www' } })).toBeUndefined();
  });

  test('that is named in the middle of what Node.js prints', () => {
    const lines = ["Error: ENOENT: no such file or directory, open '/srv/x'", '    at openSync (node:fs:1:2)'];
    const dump = [
      '  errno: -2,',
      "  code: 'ENOENT',",
      "  syscall: 'open',",
      "  path: '/srv/x'",
      '}',
      'Node.js v24.1.0',
    ];
    const frames = Array.from({ length: 10 }, () => '    at Module._compile (node:internal:1:2)');
    expect(hintOf({ lines: [...lines, ...frames, ...dump] })).toContain('`permissions: {read: [/srv/x]}`');
  });

  test.each([
    ['/job/run.sh: 3: cannot create /srv/data/x.csv: Directory nonexistent', '', '/srv/data'],
    ['/job/run.sh: line 3: /srv/data/x.csv: No such file or directory', 'echo x >> /srv/data/x.csv', '/srv/data'],
    ['mkdir: cannot create directory ‘/srv’: Read-only file system', 'mkdir -p /srv/backup/daily', '/srv/backup/daily'],
    ["touch: cannot touch '/etc/motd': Read-only file system", '', '/etc/motd'],
    ["touch: cannot touch '/x': Read-only file system", '', '…'],
    ["OSError: [Errno 30] Read-only file system: '/srv/data/x'", '', '/srv/data'],
  ])('that the script may not write: %s', (line, command, folder) => {
    const lines = command === '' ? [line] : [line, trap(command)];
    expect(hintOf({ lines })).toContain(`\`permissions: {write: [${folder}]}\``);
  });

  test.each([
    ['echo x > /home/me/x.csv', '/home/me/x.csv'],
    ['pg_dump > "$HOME/x.sql" 2> /dev/null', '/home/me/x.sql'],
    ['tee -a ~/x.log', '/home/me/x.log'],
    ['pg_dump > /root/x.sql', '/root/x.sql'],
  ])('that the script may not write into a home: only the file is allowed, for `%s`', (command, path) => {
    const lines = [`/job/run.sh: line 3: ${path}: Read-only file system`, trap(command)];
    expect(hintOf({ lines })).toBe(
      `the job may not write to ${path}: once it exists on the host, allow it with ` +
        `\`permissions: {write: [${path}]}\`; the operator must list the path in \`security.paths\` of flwd.yaml`,
    );
  });

  test.each([
    ['echo x >> ~/file.log', '/home/me/file.log: No such file or directory'],
    ['exec >> "$HOME/file.log" 2>&1', '/home/me/file.log: No such file or directory'],
    ['./backup &>> /srv/backup/out', '/srv/backup/out: No such file or directory'],
    ['./backup >/srv/backup/out 2>&1', '/srv/backup/out: Read-only file system'],
    ['', 'cannot create /var/log/my.log: Directory nonexistent'],
  ])('for the output of a program, which flwd keeps: `%s`', (command, words) => {
    const line = command === '' ? `/job/run: 3: ${words}` : `/job/run.sh: line 3: ${words}`;
    expect(hintOf({ lines: [line, ...(command === '' ? [] : [trap(command)])] })).toMatch(
      /^the job may not write to \/\S+: remove the redirection, because flwd keeps the output of each run$/,
    );
  });

  test('that is granted only for reading, or belongs to the job', () => {
    const line = 'cp: cannot create regular file ‘/srv/data/x’: Read-only file system';
    expect(hintOf({ lines: [line], plan: { read: ['/srv/data'] } })).toContain('move the path from `read` to `write`');
    expect(hintOf({ lines: ['run.sh: line 1: /job/state: Read-only file system'] })).toContain('$FLWD_WORKSPACE');
  });

  test('that a script could not write beside itself, even if the same file is missing later', () => {
    const lines = [
      '/job/count.sh: line 3: history.log: Read-only file system',
      'wc: history.log: No such file or directory',
    ];
    expect(hintOf({ lines })).toMatch(/^the script has changed to a folder in which it may not write history\.log: /);
    expect(exitMessage(1, readErrorLines(lines))).toBe(
      'exited with code 1: count.sh: line 3: history.log: Read-only file system',
    );
    expect(hintOf({ lines: [...lines, 'wc: other.log: No such file or directory'] })).toContain(
      'FLWD_JOB_DIR/other.log',
    );
    expect(hintOf({ lines: [lines[0] ?? ''], plan: { write: ['/workspace'] } })).toBeUndefined();
  });

  test('that is beside config.yaml, or below `~`, which is the workspace', () => {
    expect(hintOf({ lines: ['wc: data.csv: No such file or directory'] })).toMatch(/"\$FLWD_JOB_DIR\/data\.csv"$/);
    expect(hintOf({ lines: ['cat: /workspace/.pgpass: No such file or directory'] })).toMatch(
      /^`~` is the run’s workspace/,
    );
  });

  test('that a step lacks only if it is beside config.yaml, because an earlier step may have removed another file', () => {
    const plan = { job: { ...job, composition: 'steps' as const } };
    expect(hintOf({ plan, lines: ['wc: data.csv: No such file or directory'] })).toContain('FLWD_JOB_DIR/data.csv');
    expect(hintOf({ plan, lines: ['wc: made.csv: No such file or directory'] })).toBeUndefined();
  });

  test('that the user of the job may not use', () => {
    const lines = ["PermissionError: [Errno 13] Permission denied: '/srv/data/x'"];
    expect(hintOf({ lines })).toBe(
      'the job runs as uid 65534, which may not use /srv/data/x: `namei -l /srv/data/x` on the host shows whom each folder lets in. Let this user in or, if the server runs as root, set `run_as`',
    );
    expect(hintOf({ lines: ['cat: x: Permission denied'] })).toBe(
      'the job runs as uid 65534: the file and the folders above it must let this user in (owner, mode, ACL)',
    );
    expect(hintOf({ lines: ["chown: changing ownership of '/srv/data/x': Operation not permitted"] })).toBe(
      'the job runs as uid 65534, without root privileges',
    );
    expect(hintOf({ lines, isolation: { capabilities: 'server' } })).toBeUndefined();
    expect(hintOf({ lines: ['psql:x.sql:3: ERROR:  permission denied for table shop'] })).toBeUndefined();
    expect(hintOf({ lines: ['/job/run.sh: line 1: ./x.sh: Permission denied'], exitCode: 126 })).toContain('chmod +x');
  });

  test('that is a lock, which a job does not need', () => {
    for (const line of [
      'flock: cannot open lock file /run/lock/x: No such file or directory',
      '/job/run.sh: line 1: /var/lock/x: No such file or directory',
    ])
      expect(hintOf({ lines: [line] })).toContain('`concurrency: {limit: 1}`');
  });

  test('unless the job has the network: then the file may be on another machine', () => {
    const lines = ['scp: /srv/x: Permission denied'];
    expect(hintOf({ lines, isolation: { network: 'all' } })).toBeUndefined();
  });

  test('without repeating a name that could be taken for markup', () => {
    const hint = hintOf({ lines: ['cat: /srv/`x`](http://evil): No such file or directory'] });
    expect(hint).toContain('`permissions: {read: […]}`');
    expect(hint).not.toContain('evil');
    expect(hintOf({ lines: ['cat: /srv/[redacted]/x: No such file or directory'] })).not.toContain('redacted');
  });
});

describe('a hint is given for a program', () => {
  test.each([
    ['sudo', 'can become another user'],
    ['docker', 'no container engine'],
    ['systemctl', 'services of the host'],
    ['crontab', '`schedules: [{cron: "0 3 * * *"}]`'],
    ['mytool', 'no folder in the job’s PATH has mytool'],
  ])('that does not exist in the sandbox: %s', (name, words) => {
    for (const line of [`/job/run.sh: line 3: ${name}: command not found`, `run.sh: 3: ${name}: not found`])
      expect(hintOf({ lines: [line], exitCode: 127 })).toContain(words);
    expect(hintOf({ lines: [`flock: failed to execute ${name}: No such file or directory`], exitCode: 69 })).toContain(
      words,
    );
  });

  test.each([
    ['bash, when the script continues', ['/job/run.sh: line 2: mytool: command not found'], 3],
    ['Node.js', ['Error: spawn mytool ENOENT', '    at x', "  code: 'ENOENT',", "  path: 'mytool'", '}'], 1],
    ['Node.js, when it waits', ['<ref *1> Error: spawnSync mytool ENOENT'], 1],
    [
      'Python',
      [
        '  File "/usr/lib/python3.13/subprocess.py", line 1972, in _execute_child',
        '    raise child_exception_type(errno_num, err_msg, err_filename)',
        "FileNotFoundError: [Errno 2] No such file or directory: 'mytool'",
      ],
      1,
    ],
  ])('that %s did not find', (_, lines, exitCode) => {
    expect(hintOf({ lines, exitCode })).toBe(
      'no folder in the job’s PATH has mytool: install it on the host or, if it is outside /usr, allow its folder with ' +
        '`permissions: {read: […]}` and call it by its full path',
    );
    expect(hintOf({ lines, exitCode, isolation: { filesystem: 'host' } })).toBe(
      'no folder in the job’s PATH has mytool: install it on the host, or call it by its full path',
    );
  });

  test('that was not found, unless a later error or a file of this name may be the cause', () => {
    const line = '/job/run.sh: line 2: mytool: command not found';
    expect(hintOf({ lines: [line, 'no good'] })).toBeUndefined();
    expect(hintOf({ lines: ["FileNotFoundError: [Errno 2] No such file or directory: 'mytool'"] })).toContain(
      '"$FLWD_JOB_DIR/mytool"',
    );
  });

  test('that a script did not find, if the script continued and succeeded', () => {
    const hintOfSuccess = (...lines: string[]) => hintForSuccess({ lines: readErrorLines(lines), isolation });
    const lines = [
      '/job/run.sh: line 3: rsync: command not found',
      'run.sh: 3: rsync: not found',
      '/job/run: 3: rsync: not found',
      '/bin/sh: 1: rsync: not found',
    ];
    for (const line of lines)
      expect(hintOfSuccess(line, 'done')).toMatch(
        /^the script continued without rsync: no folder in the job’s PATH has rsync: install it on the host/,
      );
    expect(hintOfSuccess('run.sh: line 3: sudo: command not found')).toContain('can become another user');
    const others = [
      'row 3: not found',
      'bash: warning: rsync: command not found',
      'HTTP 404: page: not found',
      'conf.ini: 12: user: not found',
      'conf.ini: line 12: user: not found',
    ];
    for (const line of others) expect(hintOfSuccess(line)).toBeUndefined();
    expect(
      hintOfSuccess('/job/run.sh: line 3: /srv/x/lock: No such file or directory', 'flock: 9: Bad file descriptor'),
    ).toBe(
      'the script could not open its lock file, so perhaps it did nothing: remove the lock from the script, and use ' +
        '`concurrency: {limit: 1}` in config.yaml',
    );
  });

  test('that exists but cannot work in a sandbox', () => {
    const lines = ['Failed to connect to system scope bus via local transport: Host is down'];
    expect(hintOf({ lines: [...lines, trap('systemctl status nginx')] })).toContain('services of the host');
    expect(hintOf({ lines })).toContain('services of the host');
    const refused = 'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.';
    expect(hintOf({ lines: [refused] })).toContain('can become another user');
    expect(hintOf({ lines: [trap('crontab -l')] })).toContain('`schedules:');
    expect(hintOf({ lines: [trap('crontab -l')], isolation: { filesystem: 'host' } })).toBeUndefined();
  });
});

describe('a hint is given for', () => {
  test('a script that asks a person: it says to use an argument or an approval', () => {
    for (const lines of [[trap('read -p "Sure? " answer')], ['EOFError: EOF when reading a line']])
      expect(hintOf({ lines })).toMatch(/standard input is empty.*`argspec`.*`approval`/);
    expect(hintOf({ lines: [trap('read -r first < /dev/null')] })).toBeUndefined();
  });

  test('a variable that is not set', () => {
    expect(hintOf({ lines: ['/job/run.sh: line 6: pgpassword: unbound variable'] })).toBe(
      'a secret is not a variable: read it from the file "$FLWD_SECRETS_DIR/pgpassword", or pass it on as ' +
        '$PGPASSWORD with `env: {PGPASSWORD: {secret: pgpassword}}`',
    );
    expect(hintOf({ lines: ['run.sh: 6: PGPASSWORD: parameter not set'] })).toContain('env: {PGPASSWORD: {secret: ');
    expect(hintOf({ lines: ['run.sh: line 6: TARGET: unbound variable'] })).toContain('$target');
    expect(hintOf({ lines: ['run.sh: line 6: PGHOST: unbound variable'] })).toContain('set PGHOST under `env`');
    expect(hintOf({ lines: ['run.sh: line 6: hots: unbound variable'] })).toBeUndefined();
    expect(hintOf({ lines: ['    value = os.environ[name]', "KeyError: 'PGHOST'"] })).toContain('PGHOST under `env`');
    expect(hintOf({ lines: ["KeyError: 'PGHOST'"] })).toBeUndefined();
  });

  test.each([
    ['FLWD_OUTPUT_DIR', 'use $FLWD_ARTIFACTS_DIR, the folder for files to keep'],
    ['FLWD_ARTIFACT_PATH', 'use $FLWD_ARTIFACTS_DIR, the folder for files to keep'],
    ['FLWD_OUTPUT_PATH', 'use $FLWD_OUTPUT_FILE, the file for outputs'],
    ['FLWD_RESULT_PATH', 'use $FLWD_RESULT_FILE, the file for the result'],
    ['FLWD_ROUTE_PATH', 'docs/jobs.md lists those that a script gets'],
    ['FLWD_LOGOUT_PATH', 'docs/jobs.md lists those that a script gets'],
    ['FLWD_OUTPUT', 'use $FLWD_OUTPUT_FILE, the file for outputs'],
    ['FLWD_RESULT', 'use $FLWD_RESULT_FILE, the file for the result'],
    ['FLWD_SECRET_DIR', 'use $FLWD_SECRETS_DIR, the folder with the secrets'],
    ['FLWD_RUN', 'use $FLWD_RUN_ID, the id of the run'],
    ['FLWD_JOB', 'use $FLWD_JOB_DIR, the folder of the job, or $FLWD_JOB_ID, the id of the job'],
    ['FLWD_COLOUR_OF_MY_HOUSE', 'docs/jobs.md lists those that a script gets'],
  ])('%s, which flwd does not set: it names the variable that flwd sets', (name, hint) => {
    for (const line of [`/job/run.sh: line 2: ${name}: unbound variable`, `/job/run: 3: ${name}: parameter not set`])
      expect(hintOf({ lines: [line] })).toBe(`flwd sets no variable ${name}: ${hint}`);
    expect(hintOf({ lines: ['    os.environ[name]', `KeyError: '${name}'`] })).toContain(hint);
  });

  test('a variable that only some runs have', () => {
    const hint = (name: string) => hintOf({ lines: [`run.sh: line 2: ${name}: unbound variable`] });
    expect(hint('FLWD_SCHEDULED_AT')).toContain('write ${FLWD_SCHEDULED_AT:-}');
    expect(hint('FLWD_STEP_TEST_TAG')).toBe(
      'a step gets the outputs of the steps that it `needs`, and no such step has one for FLWD_STEP_TEST_TAG: ' +
        'a step writes its outputs as `key=value` to its $FLWD_OUTPUT_FILE',
    );
    expect(hint('FLWD_ITEM')).toMatch(/^only a step with `foreach` has .* write \$\{FLWD_ITEM:-\}/);
    expect(hint('FLWD_MATRIX_OS')).toMatch(/^only a step whose `matrix` has .* write \$\{FLWD_MATRIX_OS:-\}/);
    expect(hint('FLWD_ARG_TARGET')).toContain('write ${FLWD_ARG_TARGET:-}');
    expect(hint('FLWD_ARG_TARGETS')).toBe('the job has no argument for FLWD_ARG_TARGETS: use $FLWD_ARG_TARGET');
    expect(hint('FLWD_ARG_PGPASSWORD')).toContain('"$FLWD_SECRETS_DIR/pgpassword"');
  });

  test('a path that begins with a variable that is not set', () => {
    expect(hintOf({ lines: ["Error: ENOENT: no such file or directory, open 'undefined/x'"] })).toContain(
      'undefined/x begins with a variable that is not set',
    );
    expect(hintOf({ lines: ['run: 2: cannot create /x: Read-only file system'] })).toContain(
      'the job may not write to /x: if a variable in the path was empty',
    );
  });

  test('an option of `set` with a Windows line ending, although bash also prints a usage line', () => {
    const usage = 'set: usage: set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]';
    const lines = [String.raw`/job/run.sh: line 2: set: -\r: invalid option`, usage];
    expect(hintOf({ lines, exitCode: 2 })).toMatch(/^the script has Windows line endings/);
  });

  test('limits of a step', () => {
    const plan = { resources: { ...noResources, memoryBytes: 2 ** 26, pids: 20 } };
    expect(hintOf({ lines: ['MemoryError'], plan })).toMatch(/^a step may use 64 MiB of memory: /);
    expect(hintOf({ lines: ['MemoryError'] })).toBeUndefined();
    const dump = [
      'object address  : 0x7f2c4a1b3c40',
      'object refcount : 3',
      'object type     : 0x9d5ba0',
      'object type name: MemoryError',
      'object repr     : MemoryError()',
      'lost sys.stderr',
    ];
    expect(hintOf({ lines: dump, plan })).toMatch(/^a step may use 64 MiB of memory: /);
    expect(exitMessage(1, readErrorLines(dump))).toBe('exited with code 1: MemoryError');
    expect(hintOf({ lines: ["RuntimeError: can't start new thread"], plan })).toMatch(
      /^a step may have 20 processes and threads: /,
    );
    expect(hintOf({ reason: 'out_of_memory' })).toContain('memory: …');
    expect(hintOf({ reason: 'signal', message: 'ended by signal KILL' })).toContain('dmesg');
    const killed = '/job/run.sh: line 3:    12 Killed                  python3 x.py';
    expect(hintOf({ lines: [killed], exitCode: 137 })).toContain('dmesg');
    expect(hintOf({ lines: [killed] })).toBeUndefined();
  });

  test.each([
    [String.raw`/job/run.sh: line 2: $'ls\r': command not found`, 127],
    [String.raw`/job/run.sh: line 2: set: pipefail\r: invalid option name`, 2],
    [String.raw`/job/run.sh: line 2: set: -\r: invalid option`, 2],
    [String.raw`/job/run: 3: foo\r: not found`, 127],
    [String.raw`/job/run: 3: \r: not found`, 127],
    [String.raw`/job/run.sh: line 2: syntax error near unexpected token ${'`'}$'do\r''`, 2],
    [String.raw`/usr/bin/env: ‘perl\r’: No such file or directory`, 127],
    [String.raw`env: 'perl\r': No such file or directory`, 127],
    ['bash: ./tool: /bin/bash^M: bad interpreter: No such file or directory', 126],
    ['/job/run: 2: set: Illegal option -', 2],
    ['/job/run.sh: line 5: syntax error: unexpected end of file', 2],
  ])('Windows line endings: %s', (line, exitCode) => {
    expect(hintOf({ lines: [line], exitCode })).toMatch(
      /^(?:the script|a block .*) has Windows line endings.*dos2unix/,
    );
  });

  test.each([
    String.raw`/job/run.sh: line 2: cd: $'/tmp\r': No such file or directory`,
    String.raw`rm: cannot remove 'old'$'\r': No such file or directory`,
    String.raw`/job/run.sh: line 2: ./x\r: No such file or directory`,
    String.raw`/job/run.sh: line 2: exit: 1\r: numeric argument required`,
  ])('Windows line endings, in the script or in what it reads: %s', (line) => {
    expect(hintOf({ lines: [line] })).toMatch(
      /^the script, or the text that it reads, has Windows line endings.*dos2unix/,
    );
  });

  test.each([
    String.raw`KeyError: '12\r'`,
    String.raw`ValueError: invalid literal for int() with base 10: '12\rx\r'`,
    String.raw`psycopg2.errors.InvalidTextRepresentation: invalid input syntax for type integer: '12\r'`,
    String.raw`SyntaxError: Unexpected token '\r', "\r" is not valid JSON`,
    String.raw`Error: no record for db1\r: skipped`,
  ])('Windows line endings in the script, but not for those in data: %s', (line) => {
    expect(hintOf({ lines: [line] })).toBeUndefined();
  });

  test('a file whose interpreter or loader is missing', () => {
    const lines = ['/job/run.sh: line 2: /job/tool: cannot execute: required file not found'];
    expect(hintOf({ lines, exitCode: 127 })).toMatch(
      /its first line names .* its loader .* Windows line endings: .*dos2unix/,
    );
  });

  test('a first line with a Windows line ending', () => {
    const message =
      './tool cannot be started: it does not exist in the sandbox, or the program that its first line names does not';
    expect(hintOf({ reason: 'start_failed', message })).toMatch(/^if the file exists.*dos2unix/);
    const hintFor = (line: string) =>
      hintOf({ reason: 'start_failed', message, command: ['./tool'], firstLineOf: () => line });
    expect(hintFor('#!/bin/sh\r')).toBe(
      'the script has Windows line endings: save it with Unix line endings, for example with `dos2unix`',
    );
    expect(hintFor('#! /usr/bin/ruby -w')).toBe(
      'the script’s first line names /usr/bin/ruby, which the job does not see: install it on the host, or correct the line',
    );
  });

  test('a missing key of the key-value store, about which flwd_kv_get itself prints nothing', () => {
    const python = "subprocess.CalledProcessError: Command '['flwd_kv_get', 'n']' returned non-zero exit status 1.";
    const commands = [
      'flwd_kv_get n',
      'n=$(flwd_kv_get n)',
      'n="$(flwd_kv_get --version --namespace=a -- "$x y|z")"',
      'flwd_kv_get --namespace a n > file',
    ];
    const namespaced = python.replace("'n'", "'--namespace', 'a', 'n'");
    for (const lines of [...commands.map((command) => [trap(command)]), [python], [namespaced]])
      expect(hintOf({ lines })).toContain('a default after the key');
    const said = "flwd_kv_get: the namespace 'x' is not granted";
    expect(hintOf({ lines: [said, trap('flwd_kv_get --namespace x n')] })).toBeUndefined();
    expect(hintOf({ lines: [said, python] })).toBeUndefined();
  });

  test.each([
    'n=$(flwd_kv_get count 0 | grep foo)',
    'flwd_kv_get count 0',
    'n=$(flwd_kv_get --namespace a count 0)',
    'flwd_kv_get count | jq .a',
    'flwd_kv_get count|jq .a',
    'n=$(flwd_kv_get count; false)',
    'n=$(flwd_kv_get count;false)',
    'n=$(flwd_kv_get count && false)',
    'n=$(flwd_kv_get count || false)',
    'n=$(flwd_kv_get "a b" c)',
    'flwd_kv_get count 2> /dev/null',
    '[[ $(flwd_kv_get n 0) -gt 3 ]]',
  ])('a missing key, but not if the key may exist or has a default: %s', (command) => {
    expect(hintOf({ lines: [trap(command)] })).toBeUndefined();
    for (const shown of [`'${command}'`, "'['flwd_kv_get', 'n', '0']'"])
      expect(
        hintOf({ lines: [`subprocess.CalledProcessError: Command ${shown} returned non-zero exit status 1.`] }),
      ).toBeUndefined();
  });

  test('ssh, which lacks its files', () => {
    expect(hintOf({ lines: ['Host key verification failed.'] })).toContain('UserKnownHostsFile');
    expect(hintOf({ lines: ['root@db: Permission denied (publickey,password).'] })).toContain(
      '"$FLWD_SECRETS_DIR/NAME"',
    );
  });
});

test('no hint is given when what the script printed points to something else', () => {
  const missing = 'cat: /srv/x: No such file or directory';
  expect(hintOf({ lines: ['it is broken'] })).toBeUndefined();
  expect(hintOf({ lines: [missing, trap('[[ -n $found ]]')] })).toBeUndefined();
  expect(hintOf({ lines: [missing, trap('grep -q x log')] })).toBeUndefined();
  expect(hintOf({ lines: [missing, ...Array.from({ length: 12 }, (_, n) => `step ${n}`)] })).toBeUndefined();
});

test('a lost run is told about `on_lost: retry`, unless the job has it or the run was being ended', () => {
  const lost = {
    reason: 'lost',
    message: 'the script’s processes ended without a trace: the machine stopped, or something killed them',
  } as const;
  expect(hintOf(lost)).toContain('set `on_lost: retry` in config.yaml');
  expect(hintOf({ ...lost, plan: { job: { ...job, onLost: 'retry' } } })).toBeUndefined();
  expect(hintOf({ ...lost, message: '2 of its processes could not be ended' })).toBeUndefined();
});

test.each([
  [['cat: /srv/x: No such file or directory', trap('cat /srv/x')], 'cat: /srv/x: No such file or directory (run.sh:3)'],
  [[trap('curl -s https://example.org', 6)], 'curl -s https://example.org (run.sh:3)'],
  [['a warning', trap('false')], 'false (run.sh:3)'],
  [['a warning', trap('v=$(flwd_kv_get nokey)')], 'v=$(flwd_kv_get nokey) (run.sh:3)'],
  [['flwd_kv_get: no', trap('v=$(flwd_kv_get k)')], 'flwd_kv_get: no (run.sh:3: v=$(flwd_kv_get k))'],
  [['run.sh: line 3: /x: denied', trap('flwd_kv_get k > /x')], '/x: denied (run.sh:3: flwd_kv_get k > /x)'],
  [
    ["FileNotFoundError: [Errno 2] No such file or directory: 'x'", trap('python3 x.py')],
    "FileNotFoundError: [Errno 2] No such file or directory: 'x' (run.sh:3: python3 x.py)",
  ],
  [['/job/run.sh: line 3: nope: command not found', trap('nope --x')], 'nope: command not found (run.sh:3)'],
  [['/job/run.sh: line 6: x: unbound variable'], 'run.sh: line 6: x: unbound variable'],
  [['tar: /srv: Cannot stat', 'tar: Exiting with failure status due to previous errors'], 'tar: /srv: Cannot stat'],
  [
    [
      'tar (child): backups/x.tar.gz: Cannot open: Permission denied',
      'tar (child): Error is not recoverable: exiting now',
      "tar: Removing leading `/' from member names",
      'tar: backups/x.tar.gz: Cannot write: Broken pipe',
      'tar: Child returned status 2',
      'tar: Error is not recoverable: exiting now',
      'make[1]: *** [Makefile:4: backup] Error 2',
      'make: *** [Makefile:2: all] Error 2',
    ],
    'tar (child): backups/x.tar.gz: Cannot open: Permission denied',
  ],
  [
    [
      "Cloning into 'y'...",
      'git@github.com: Permission denied (publickey).',
      'fatal: Could not read from remote repository.',
      'Please make sure you have the correct access rights',
      'and the repository exists.',
    ],
    'git@github.com: Permission denied (publickey).',
  ],
  [
    [
      "Error: Cannot find module 'pg'",
      'Require stack:',
      '- /job/run.js',
      '    at x (node:internal:1:2)',
      'Node.js v24.1.0',
    ],
    "Error: Cannot find module 'pg'",
  ],
  [['a', "make: *** No rule to make target 'b'.  Stop."], "make: *** No rule to make target 'b'.  Stop."],
  [['make: *** [Makefile:2: all] Error 1'], 'make: *** [Makefile:2: all] Error 1'],
  [
    [
      "Error: ENOENT: no such file, open '/x'",
      '    at open (node:fs:1:2) {',
      "  code: 'ENOENT',",
      '}',
      'Node.js v24.1.0',
    ],
    "Error: ENOENT: no such file, open '/x'",
  ],
  [
    [
      '[TypeError: fetch failed] {',
      '  [cause]: Error: connect ECONNREFUSED 127.0.0.1:9999',
      '      at TCPConnectWrap.afterConnect [as oncomplete] (node:net:2021:16) {',
      '    errno: -111,',
      "    code: 'ECONNREFUSED',",
      '    port: 9999',
      '  }',
      '}',
      'Node.js v24.21.0',
    ],
    'TypeError: fetch failed: connect ECONNREFUSED 127.0.0.1:9999',
  ],
  [
    [
      'Error: cannot read the settings',
      '    at Object.<anonymous> (/job/run.js:2:57)',
      '    ... 5 lines matching cause stack trace ...',
      '    at node:internal/main/run_main_module:33:47 {',
      '  status: 500,',
      '  [cause]: [TypeError: fetch failed] {',
      '    [cause]: AggregateError [ECONNREFUSED]: ',
      '        at internalConnectMultiple (node:net:1:2) {',
      "      code: 'ECONNREFUSED',",
      '      [errors]: [',
      '        Error: connect ECONNREFUSED ::1:9999',
      '            at createConnectionError (node:net:1:2)',
      '        Error: connect ECONNREFUSED 127.0.0.1:9999',
      '            at createConnectionError (node:net:1:2)',
      '      ]',
      '    }',
      '  }',
      '}',
    ],
    'Error: cannot read the settings: connect ECONNREFUSED 127.0.0.1:9999',
  ],
  [['Error: outer', '    at x (y:1) {', "  [cause]: 'no disk'", '}'], "Error: outer: 'no disk'"],
  [
    [
      'Error: Command failed: ls /srv/shop',
      "ls: cannot access '/srv/shop': No such file or directory",
      '    at genericNodeError (node:internal/errors:984:15) {',
      '  status: 2,',
      '  stderr: Buffer(57) [Uint8Array] [',
      '     32,  78, 111,  32, 115, 117,  99, 104,  32, 102,',
      '    101,  99, 116, 111, 114, 121,  10',
      '  ]',
      '}',
    ],
    "ls: cannot access '/srv/shop': No such file or directory",
  ],
  [['undefined', '(Use `node --trace-uncaught ...` to show where the exception was thrown)'], 'undefined'],
  [
    [
      '  + Exception Group Traceback (most recent call last):',
      '  |   File "/job/run.py", line 1, in <module>',
      '  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)',
      '  +-+---------------- 1 ----------------',
      '    | Traceback (most recent call last):',
      '    |   File "/job/run.py", line 1, in f',
      '    | ValueError: no orders',
      '    +------------------------------------',
    ],
    'ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception): ValueError: no orders',
  ],
  [['Error: outer', '    at x (y:1) {', '  [cause]: {', '    code: 5', '  }', '}'], 'Error: outer'],
  [
    [
      'Traceback (most recent call last):',
      '  File "/job/run.py", line 3, in f',
      "FileNotFoundError: [Errno 2] No such file or directory: 'a.json'",
      'The above exception was the direct cause of the following exception:',
      'Traceback (most recent call last):',
      '  File "/job/run.py", line 5, in f',
      'RuntimeError: cannot read the settings',
      'During handling of the above exception, another exception occurred:',
      'Traceback (most recent call last):',
      '  File "/job/run.py", line 9, in <module>',
      'SystemError: cannot start',
    ],
    "SystemError: cannot start: FileNotFoundError: [Errno 2] No such file or directory: 'a.json'",
  ],
  [
    [
      'Traceback (most recent call last):',
      'ConnectionRefusedError: [Errno 111] Connection refused',
      'During handling of the above exception, another exception occurred:',
      'Traceback (most recent call last):',
      '  File "/job/run.py", line 5, in f',
      'urllib.error.URLError: <urlopen error [Errno 111] Connection refused>',
    ],
    'urllib.error.URLError: <urlopen error [Errno 111] Connection refused>',
  ],
  [
    [
      'Traceback (most recent call last):',
      'KeyError: 1',
      'During handling of the above exception, another exception occurred:',
      'Traceback (most recent call last):',
      'ValueError: logged',
      'it is broken',
    ],
    'it is broken',
  ],
  [['failed', trap('make all'), 'cleaned up'], 'failed (run.sh:3: make all)'],
  [['}'], '}'],
])('the error of a run names what failed: %j', (lines, words) => {
  expect(exitMessage(1, readErrorLines(lines))).toBe(`exited with code 1: ${words}`);
});

test.each([
  [["Error: Cannot find module 'pg'", 'Require stack:', '- /job/run.js'], '`npm install pg` in the job’s folder'],
  [["Error: Cannot find package '@x/y' imported from /job/run.mjs"], '`npm install @x/y`'],
  [["Error: Cannot find module 'pg/lib/a.js'"], '`npm install pg`'],
  [['/job/run.sh: line 1: \u{FEFF}#!/bin/bash: No such file or directory'], 'UTF-8 without BOM'],
])('the hint names the package or the encoding: %j', (lines, words) => {
  expect(hintOf({ lines })).toContain(words);
});

test('a call of ./script that lies beside config.yaml, and not in the workspace, has a hint', () => {
  const lines = ['/job/run.sh: line 3: ./data.csv: No such file or directory', trap('./data.csv')];
  expect(hintOf({ lines, exitCode: 127 })).toContain('"$FLWD_JOB_DIR/data.csv"');
  expect(hintOf({ lines: ['bash: data.csv: No such file or directory'], exitCode: 127 })).not.toContain('FLWD_JOB_DIR');
});

test('a program that the host lacks has a hint, too', () => {
  const given = { reason: 'start_failed', exitCode: 127 } as const;
  const message = 'python2 cannot be started: there is no such program on this host';
  expect(hintOf({ ...given, message })).toMatch(/^no folder in the job’s PATH has python2: install it on the host or/);
  expect(hintOf({ ...given, message: message.replace('python2', 'its program') })).toBeUndefined();
});

test('a run that printed no error has only its exit code', () => {
  expect(exitMessage(3, readErrorLines([]))).toBe('exited with code 3');
});

test('on a full disk the hint says so, even if the program could not print its own error', () => {
  const lackOfRoom = 'the disk is full (0 B free): free space, or run flwd gc';
  const lines = ['head: error writing: No space left on device'];
  expect(hintOf({ lines, lackOfRoom })).toBe(lackOfRoom);
  expect(hintOf({ lackOfRoom })).toBe(lackOfRoom);
  expect(hintOf({ lines: ['KeyError: x'], lackOfRoom })).toBeUndefined();
});
