// The tests of what `npm run binary` and `npm run deb` make: `npm run check:release` builds both first.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/release/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 600_000, maxWorkers: 1 },
});
