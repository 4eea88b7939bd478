// A minimal server that resumes an attempt and ends it without a free descriptor: for a second, each look at the host
// fails.

import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { resumeAttempt } from '../../../src/exec/proc/resume-attempt.ts';

const attempt = resumeAttempt(process.env.ATTEMPT_DIR ?? '');
if (!attempt) throw new Error('there is no attempt to resume');
// Only this keeps it alive, as a socket keeps a server alive.
const staying = setInterval(() => undefined, 1_000);
const termination = attempt.terminate({ signal: 'TERM', graceMs: 20_000 });
const taken = takeAll();
await delay(1_000);
for (const fd of taken) closeSync(fd);
console.log(JSON.stringify({ taken: taken.length > 0, end: await attempt.ended, proof: await termination }));
clearInterval(staying);

function takeAll(): number[] {
  const fds: number[] = [];
  try {
    for (;;) fds.push(openSync('/dev/null', 'r'));
  } catch {
    return fds;
  }
}
