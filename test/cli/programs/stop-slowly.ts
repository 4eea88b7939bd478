// Begins to stop when it gets a signal, but never finishes. Prints each signal that it receives.

import { stopSignal } from '../../../src/cli/session/stop-signal.ts';

const asked = stopSignal();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => console.log(signal));
setInterval(() => {}, 60_000);
console.log('ready');
console.log(`stopping at ${await asked}`);
