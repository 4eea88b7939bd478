// Ends everything that the script of an attempt has started, as a server would: kill-domain.ts ATTEMPT_DIR. Prints the
// number of processes it finds, and the number left once those that it may end are gone.

import { setTimeout as delay } from 'node:timers/promises';
import { killDomainOf } from '../../../src/exec/proc/kill-domain.ts';
import { readStatus } from '../../../src/exec/proc/shim-status.ts';

const [attemptDir = '', mayLeave = '0'] = process.argv.slice(2);
const domain = killDomainOf(attemptDir, readStatus(attemptDir));
const found = domain?.members().length;
domain?.kill();
while ((domain?.members().length ?? 0) > Number(mayLeave)) await delay(10);
console.log(JSON.stringify({ found, left: domain?.members().length }));
