// Attacks from inside a job. Each attack is a job that prints what it could reach, together with the output that the
// test expects.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { refusedCalls, weighedCalls } from '../../src/exec/sandbox/seccomp-calls.ts';
import { type JobConfig, type JobFiles, python } from '../support/jobs.ts';

export type Attack = {
  readonly script: string;
  readonly config?: JobConfig;
  /** The lines that the log of the job must contain. */
  readonly finds: readonly string[];
};

const prelude = readFileSync(join(import.meta.dirname, 'attack.py'), 'utf8');
const machine = process.arch === 'arm64' ? 'arm64' : 'x64';
const numbers = Object.fromEntries(
  Object.entries({ ...refusedCalls, ...weighedCalls }).flatMap(([name, entry]) =>
    entry[machine] === null ? [] : [[name, entry[machine]]],
  ),
);

const argspec = { type: 'object', properties: { host: { type: 'string' } } };

export function attackJob(script: string, config: JobConfig = {}): JobFiles {
  return {
    ...python(`from attack import *\n${script}`, { argspec, ...config }),
    'attack.py': prelude,
    'numbers.json': JSON.stringify(numbers),
  };
}

/** Targets that the test has placed on the host. */
export type AttackedHost = {
  readonly serverPort: number;
  readonly tcpPort: number;
  readonly udpPort: number;
  readonly abstractName: string;
  readonly hidden: readonly string[];
  /** A value from the server's environment, spelled backwards. */
  readonly canary: string;
  readonly serverPid: number;
};

/** Attacks that fail in every secure job, whichever user the server runs as. */
export const secureAttacks: Readonly<Record<string, Attack>> = {
  'a refused system call': {
    script: `
for name in numbers:
    if name in ('clone', 'clone3', 'unshare', 'personality', 'ioctl', 'socket', 'socketpair'): continue
    outcome = call(name, 0, 0, 0, 0, 0, 0)
    if outcome != 'EPERM': say(name, outcome)`,
    finds: [],
  },
  'a namespace of its own': {
    script: `
for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
    outcomes = {call('clone', flag | 17, 0, 0, 0, 0), call('unshare', flag)}
    if outcomes != {'EPERM'}: say(hex(flag), outcomes)
say(call('clone3', 0, 0), call('unshare', 0x80), os.system('unshare --user --map-root-user true 2>/dev/null') == 0)`,
    finds: ['ENOSYS EPERM False'],
  },
  'a call that is newer than the filter, or of another interface': {
    script: `say(*[call(number, 0, 0, 0) for number in (463, 470, 1000, 0x40000000 + 39)])`,
    finds: ['ENOSYS ENOSYS ENOSYS ENOSYS'],
  },
  'capabilities, or a way to them': {
    script: `
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'):
    if int(status[name], 16) and (name != 'CapBnd' or os.getuid() == 0): say(name, status[name].strip())
say(status['NoNewPrivs'].strip(), status['Seccomp'].strip(), os.getuid() == 0, os.getgroups() in ([], [os.getgid()]))
say([act for act in ((os.setuid, 0), (os.setgid, 0), (os.setgroups, [0]), (os.chroot, '/tmp')) if tried(*act) == 'done'])`,
    finds: ['1 2 False True', '[]'],
  },
  'a program that is setuid': {
    script: `
for line in open('/proc/self/mountinfo'):
    place, options = line.split()[4:6]
    if 'nosuid' not in options.split(','): say(place)
import shutil, subprocess
shutil.copy('/usr/bin/id', '/workspace/id'); os.chmod('/workspace/id', 0o6755)
say(subprocess.run(['/workspace/id', '-u'], capture_output=True, text=True).stdout.strip() == str(os.getuid()))
su = subprocess.run('su root -c "id -u" </dev/null', shell=True, capture_output=True, text=True)
say(su.stdout.strip() == '0')`,
    finds: ['True', 'False'],
  },
  'the network': {
    script: `
def connect(family, kind, address):
    with socket.socket(family, kind) as s:
        s.settimeout(2); s.connect(address)
        if kind == socket.SOCK_DGRAM: s.send(b'out')
say(tried(connect, socket.AF_INET, socket.SOCK_STREAM, ('127.0.0.1', host['serverPort'])))
say(tried(connect, socket.AF_INET, socket.SOCK_STREAM, ('127.0.0.1', host['tcpPort'])))
say(tried(connect, socket.AF_INET, socket.SOCK_STREAM, ('192.0.2.1', 80)))
tried(connect, socket.AF_INET, socket.SOCK_DGRAM, ('127.0.0.1', host['udpPort']))
say(tried(connect, socket.AF_UNIX, socket.SOCK_STREAM, '\\0' + host['abstractName']))
say(tried(socket.getaddrinfo, 'example.org', 80) == 'done', [name for _, name in socket.if_nameindex()])`,
    finds: ['ECONNREFUSED', 'ECONNREFUSED', 'ENETUNREACH', 'ECONNREFUSED', "False ['lo']"],
  },
  'sockets of other kinds': {
    script: `
for family, kind, protocol in ((17, 3, 3), (38, 5, 0), (40, 1, 0), (31, 3, 1), (30, 2, 0), (44, 3, 0), (16, 3, 12), (16, 3, 9), (16, 3, 15)):
    outcome = call('socket', family, kind, protocol)
    if outcome != 'EAFNOSUPPORT': say(family, kind, protocol, outcome)
say(call('socket', 2, 3, 255), call('socket', 2, 3, 1), call('socket', 16, 3, 0))`,
    finds: ['EPERM EPERM done'],
  },
  'files of the host': {
    script: `
hidden = ['/etc/shadow',
          '/etc/gshadow',
          '/etc/sudoers',
          '/etc/ssh',
          '/etc/ssl/private',
          '/root',
          '/home',
          '/var/lib',
          '/boot',
          '/sys'] + host['hidden']
for path in hidden:
    for view in ('', '/proc/1/root', '/proc/self/root', '/proc/1/cwd/..', '/workspace/../..'):
        if os.path.lexists(view + path): say(view + path)
say(sorted(os.listdir('/run/flwd')))`,
    finds: ["['bin', 'in', 'libexec', 'out', 'secrets']"],
  },
  'what the server, or another process, has in hand': {
    script: `
for fd in os.listdir('/proc/self/fd'):
    place = os.readlink('/proc/self/fd/' + fd) if os.path.lexists('/proc/self/fd/' + fd) else '/dev/null'
    if int(fd) > 2 and place != '/dev/null' and not place.startswith('/proc/'): say(fd, place)
for pid in filter(str.isdigit, os.listdir('/proc')):
    for name in ('environ', 'cmdline'):
        try: text = open(f'/proc/{pid}/{name}').read()
        except OSError: continue
        if host['canary'][::-1] in text: say(pid, name)
say(sorted(open(f'/proc/{pid}/comm').read().strip() for pid in os.listdir('/proc') if pid.isdigit()))
# Where the server does not run as root, the first process is of the job's own user. It has nothing that the job has
# not.
own = {os.readlink('/proc/self/fd/%d' % fd) for fd in (0, 1, 2)} | {'anon_inode:[eventfd]'}
try: say([place for place in (os.readlink('/proc/1/fd/' + fd) for fd in os.listdir('/proc/1/fd')) if place not in own])
except PermissionError: say([])`,
    finds: ["['bwrap', 'python3']", '[]'],
  },
  'writing outside': {
    script: `
for folder in ('/', '/usr', '/usr/bin', '/etc', '/job', '/run', '/run/flwd', '/run/flwd/in', '/run/flwd/bin', '/run/flwd/secrets', '/dev', '/dev/pts', '/proc', '/proc/sys'):
    if tried(open, folder + '/new', 'w') == 'done': say('wrote', folder)
for path in ('/etc/passwd', '/job/main.py', '/run/flwd/in/args.json', '/usr/bin/env'):
    if tried(open, path, 'r+') == 'done' or tried(os.unlink, path) == 'done' or tried(os.chmod, path, 0o777) == 'done': say('changed', path)
say(os.system('mount -o remount,rw /usr 2>/dev/null') == 0, os.system('umount /job 2>/dev/null') == 0)
say(tried(os.rename, '/workspace', '/workspace2') == 'done', tried(os.rmdir, '/run/flwd/out') == 'done')`,
    finds: ['False False', 'False False'],
  },
  'links to what is not its own': {
    script: `
say(tried(os.link, '/job/main.py', '/workspace/main.py'), tried(os.link, '/etc/passwd', '/workspace/passwd'), tried(os.link, '/run/flwd/in/args.json', '/run/flwd/out/result.json'))
say(tried(os.chown, '/workspace', 0, 0) == 'done')`,
    finds: ['EXDEV EXDEV EXDEV', 'False'],
  },
  devices: {
    script: `
for kind, number in ((stat.S_IFCHR, (1, 1)), (stat.S_IFBLK, (254, 0)), (stat.S_IFCHR, (10, 229)), (stat.S_IFCHR, (1, 3))):
    for folder in ('/workspace', '/tmp', '/dev/shm', '/run/lock', '/run/flwd/out'):
        outcome = tried(os.mknod, folder + '/device', kind | 0o666, os.makedev(*number))
        if outcome != 'EPERM': say(folder, number, outcome)
say(sorted(os.listdir('/dev')))
for path in ('/dev/tty', '/dev/console', '/dev/mem', '/dev/kmsg', '/dev/vda', '/dev/fuse', '/dev/kvm', '/dev/net/tun'):
    if tried(open, path) == 'done': say(path)`,
    finds: [
      "['core', 'fd', 'full', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero']",
    ],
  },
  'typing into a terminal': {
    script: `
say(*[call('ioctl', fd, command, ctypes.c_char_p(b'x')) for fd in (0, 1) for command in (0x5412, 0x100005412, 0x541c)])
say(tried(open, '/dev/tty'))`,
    finds: ['EPERM EPERM EPERM EPERM EPERM EPERM', 'ENXIO'],
  },
  'settings of the kernel': {
    script: `
for path, text in {
    '/proc/sysrq-trigger': 'h', '/proc/sys/kernel/core_pattern': '|/tmp/x', '/proc/sys/kernel/hostname': 'x',
    '/proc/sys/kernel/ns_last_pid': '1', '/proc/sys/vm/drop_caches': '1', '/proc/sys/fs/binfmt_misc/register': ':x:',
    '/proc/sys/net/ipv4/ip_forward': '1', '/proc/sys/user/max_user_namespaces': '9', '/proc/self/uid_map': '0 0 1',
    '/proc/self/setgroups': 'allow', '/proc/self/oom_score_adj': '-1000', '/proc/irq/0/smp_affinity': '1',
}.items():
    def write():
        with open(path, 'w') as file: file.write(text)
    if tried(write) == 'done': say('wrote', path)
for path in ('/proc/kcore', '/proc/kmsg', '/proc/kpagecount', '/proc/1/mem', '/proc/timer_list', '/proc/slabinfo', '/proc/vmallocinfo'):
    if tried(lambda: open(path, 'rb').read(1)) == 'done': say('read', path)
say(os.path.exists('/sys'), tried(open, '/sys/fs/cgroup/memory/release_agent', 'w'))
import time
say(tried(time.clock_settime, time.CLOCK_REALTIME, 0), tried(socket.sethostname, 'x'), call('personality', 0x40000), socket.gethostname())`,
    finds: ['False ENOENT', 'EPERM EPERM EPERM flwd'],
  },
  'processes of others': {
    script: `
import time
say(tried(os.kill, host['serverPid'], 0), tried(os.kill, os.getppid(), 9) in ('EPERM', 'done'))
for sent in (9, 19, 15): tried(os.kill, 1, sent)
say('alive')`,
    finds: ['ESRCH True', 'alive'],
  },
  'a core file': {
    script: `
import resource
say(resource.getrlimit(resource.RLIMIT_CORE))
child = os.fork()
if child == 0: os.abort()
say(os.WCOREDUMP(os.waitpid(child, 0)[1]), [name for name in os.listdir('/workspace') if 'core' in name])`,
    finds: ['(0, 0)', 'False []'],
  },
  'memory that nobody counts': {
    script: `
for path in ('/tmp', '/dev/shm', '/run/lock'):
    room = os.statvfs(path)
    say(path, room.f_frsize * room.f_blocks)`,
    config: { permissions: { resources: { memory: '256MiB' } } },
    finds: ['/tmp 268435456', '/dev/shm 268435456', '/run/lock 268435456'],
  },
};
