// Vitest global setup: the console is built once, as `npm start` builds it.

export { buildConsole as setup } from '../../build-console.ts';
