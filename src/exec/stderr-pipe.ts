// Pipes for the scripts' stderr. A script may open /dev/stderr anew, as another user than the server's; an ordinary pipe
// would refuse it. So these are FIFOs that are open to all, and unlinked, so that nobody else can reach them.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Node cannot make a FIFO; one mkfifo for many costs a run a tenth of a millisecond. */
const batch = Array.from({ length: 32 }, (_, index) => String(index));

const spare: number[] = [];

/** A pipe as one descriptor, open for both ends. The caller closes it. */
export function openStderrPipe(): number {
  if (spare.length === 0) spare.push(...makePipes());
  return spare.pop() ?? openStderrPipe();
}

function makePipes(): number[] {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-pipes-'));
  try {
    execFileSync('mkfifo', ['-m', '666', ...batch], { cwd: dir, stdio: 'ignore' });
    return batch.map((name) => openSync(join(dir, name), 'r+'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
