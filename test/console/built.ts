// Vitest global setup: builds the console once, as `npm start` does.

export { buildConsole as setup } from '../../build-console.ts';
