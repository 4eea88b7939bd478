# What the attacks of a job are written with: system calls by name or number, and their outcome as one word.
import ctypes, errno, json, os, signal, socket, stat, sys

numbers = json.load(open('/job/numbers.json'))
# What the test has put there to be found.
host = json.loads(os.environ.get('FLWD_ARG_HOST') or '{}')
_libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    ctypes.set_errno(0)
    number = numbers[name] if isinstance(name, str) else name
    result = _libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return 'done' if result != -1 else errno.errorcode[ctypes.get_errno()]


def tried(act, *args):
    try:
        act(*args)
        return 'done'
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)


def say(*words):
    print(*words, flush=True)
