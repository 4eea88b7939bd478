// Builds the console from src/console into dist/console, from where the server serves it.

import { join } from 'node:path';
import { defineConfig } from 'vite';

export default defineConfig({
  root: join(import.meta.dirname, 'src/console'),
  publicDir: false,
  // Ignores NODE_ENV: React's development build checks and measures each render.
  define: { 'process.env.NODE_ENV': '"production"' },
  oxc: { jsx: { development: false } },
  build: {
    outDir: join(import.meta.dirname, 'dist/console'),
    emptyOutDir: true,
    target: 'es2023',
    // The first versions that know light-dark(). For older ones each colour would be written three times.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    // The page's Content-Security-Policy forbids inline code.
    assetsInlineLimit: 0,
    // test/console/weight.test.ts limits the compressed size.
    chunkSizeWarningLimit: 1_000,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      onwarn(warning, warn) {
        // React Query marks files with 'use client', which matters only to servers that render React.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
});
