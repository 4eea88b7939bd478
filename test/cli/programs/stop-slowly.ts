// Stops when it is asked to, but never gets done with it. Says each signal it sees.

import { stopSignal } from '../../../src/cli/session/stop-signal.ts';

const asked = stopSignal();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => console.log(signal));
setInterval(() => {}, 60_000);
console.log('ready');
console.log(`stopping at ${await asked}`);
